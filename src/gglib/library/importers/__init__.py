"""Finds the models of other programs on this machine. Nothing here writes or moves a file."""
