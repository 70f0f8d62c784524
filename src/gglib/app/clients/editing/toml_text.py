"""Edits TOML: replaces single values, and adds values and tables. Pure."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from gglib.app.clients.client import ConfigFile
from gglib.app.clients.merged_values import merged, with_defaults
from gglib.app.clients.snippets import config_text
from gglib.app.toml_editing import Path, parsed, set_value


def edited(text: str, file: ConfigFile) -> str:
    """Return the text with the values of ``file``. Raises ValueError with a phrase.

    The result is parsed and compared, so that a text in an unusual form is refused instead of getting another meaning.
    """
    if not text.strip():
        return config_text(with_defaults(file.values, file.defaults), file.format) + "\n"
    try:
        existing = parsed(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"it is not TOML: {error}") from None
    expected = merged(existing, file)
    changed = text
    for path, value in _changes(existing, expected, ()):
        changed = set_value(changed, path, value)
    changed = changed if changed.endswith("\n") or changed == text else f"{changed}\n"
    if parsed(changed) != expected:
        raise ValueError("its form is unusual")
    return changed


def _changes(
    existing: Mapping[str, Any], expected: Mapping[str, Any], path: Path
) -> Iterator[tuple[Path, Any]]:
    """Return path and value of each value that differs, tables after the values beside them."""
    for name, value in expected.items():
        if not isinstance(value, Mapping) and existing.get(name) != value:
            yield (*path, name), value
    for name, value in expected.items():
        if isinstance(value, Mapping):
            yield from _changes(existing.get(name) or {}, value, (*path, name))
