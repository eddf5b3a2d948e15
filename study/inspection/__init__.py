"""What the command line shows of options, of one trial and of a run."""
