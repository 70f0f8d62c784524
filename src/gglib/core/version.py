"""The version, where every part may read it: the package itself lists the public names, of all parts."""

__version__ = "0.1.0"
"""As in ``pyproject.toml``."""
