"""What the command line tells of options and of one trial."""
