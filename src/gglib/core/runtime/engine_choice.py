"""How people say which engine to use. Pure."""

from pathlib import Path

EMBEDDED = Path("embedded")
"""In place of a program's path: the engine that comes with gglib. A program of that name is ``./embedded``."""
