"""Stores that are plain files: the keys, and the list of what was withdrawn."""
