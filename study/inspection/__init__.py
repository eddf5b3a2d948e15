"""What the command line shows about options, a trial and a run."""
