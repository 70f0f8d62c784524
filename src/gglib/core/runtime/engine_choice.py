"""How users choose the engine. Pure."""

from pathlib import Path

EMBEDDED = Path("embedded")
"""In place of a program's path: the embedded engine. For a program of that name, write ``./embedded``."""
