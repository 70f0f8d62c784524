"""The version of gglib, in a module without imports, so that every package may read it."""

__version__ = "0.1.0"
"""The same as in ``pyproject.toml``."""
