"""Parses the setting ``record_bodies``: true, false, or patterns of keys and models. Pure."""

from gglib.app.settings.alias_lists import InvalidEntryError
from gglib.app.settings.parsers import InvalidValueError, parse_boolean
from gglib.core.history.recording import KEY, MODEL

FORM = '["key:alice", "model:qwen*"], or true for all requests'
_ALL = "all"


def parse_record_bodies(value: object) -> bool | tuple[str, ...]:
    """Return True for all requests, False for none, or patterns, from TOML or from a text: ``key:alice,model:qwen*``.

    A pattern is ``key:GLOB`` or ``model:GLOB``. Raises ``InvalidEntryError``, whose message names the pattern, or
    ``InvalidValueError`` for another type.
    """
    if isinstance(value, str) and ":" not in value:
        return value.strip().lower() == _ALL or parse_boolean(value)
    if isinstance(value, bool):
        return value
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise InvalidValueError
    return tuple(dict.fromkeys(map(_pattern, entries)))


def _pattern(entry: str) -> str:
    kind, _, glob = (part.strip() for part in entry.partition(":"))
    if kind.lower() not in {KEY, MODEL} or not glob:
        raise InvalidEntryError(
            f"has {entry.strip()!r}, which is neither key:NAME nor model:NAME: write it like {FORM}."
        )
    return f"{kind.lower()}:{glob}"
