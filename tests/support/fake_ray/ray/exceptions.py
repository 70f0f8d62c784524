"""Errors of Ray."""


class RayError(Exception):
    """An error of Ray."""
