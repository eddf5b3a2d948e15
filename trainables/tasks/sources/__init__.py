"""Readers of public file formats, one per module. They return plain numpy arrays in the project's units."""
