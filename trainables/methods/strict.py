"""The control: the model as it is."""

from trainables.methods.method import Method


class Strict(Method):
    """Train the strict model."""
