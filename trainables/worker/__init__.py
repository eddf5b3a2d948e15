"""A worker of Ray's: trials one after the other, each attempted again when it crashes, within its limits."""
