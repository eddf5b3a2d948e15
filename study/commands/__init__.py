"""The commands of the command line, each a function that `study.cli` registers under its name."""
