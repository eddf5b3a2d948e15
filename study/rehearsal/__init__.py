"""Miniature trials before a run: whether they work, and what they cost."""
