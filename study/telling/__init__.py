"""What the command line shows of options and of one trial."""
