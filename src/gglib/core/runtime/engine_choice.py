"""How users choose the engine. Pure."""

from pathlib import Path

EMBEDDED = Path("embedded")
"""In place of a program's path: the embedded engine. For a program of that name, write ``./embedded``."""

_PLUGIN_PREFIX = "plugin:"


def plugin_choice(value: str) -> Path | None:
    """Return the choice of a plug-in, ``plugin:NAME``, as it is kept in place of a program's path; None for others."""
    name = value.removeprefix(_PLUGIN_PREFIX)
    return Path(f"{_PLUGIN_PREFIX}{name}") if name not in {value, ""} and "/" not in name else None


def plugin_name(choice: Path) -> str | None:
    """Return the name of the chosen plug-in; None for other choices."""
    text = str(choice)
    return text.removeprefix(_PLUGIN_PREFIX) if plugin_choice(text) is not None else None
