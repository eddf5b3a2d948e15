"""The commands of the command line, each a function that `study.cli` puts under its name."""
