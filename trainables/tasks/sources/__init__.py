"""Readers of public file formats, one a file. They return plain numpy arrays in the project's units."""
