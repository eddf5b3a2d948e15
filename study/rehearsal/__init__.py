"""Trials in small, before a run: whether they work, and what they cost."""
