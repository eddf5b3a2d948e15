"""One trial: from a TrialSpec to a record. `trainables.training` is plain PyTorch and runs without Ray."""
