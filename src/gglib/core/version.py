"""The version of gglib, in a module without imports, so that every package may read it."""

__version__ = "0.1.0"
"""The only place of the number: ``pyproject.toml`` reads it from here, and ``make dist`` compares it with the tag."""
