"""Parses access keys from the settings: a TOML table by name, or a line. Pure.

Messages show neither a key nor a name, because a user may have swapped the two.
"""

import re
from collections.abc import Mapping

LOCAL_KEY_NAME = "local"
"""Name of the key that a server generates for gglib's own commands."""

_KEY = re.compile(r"[!-~]{8,512}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")
_PADDING = re.compile(r"[^=]+={1,2}")
"""A base64 key with padding, not NAME=KEY."""


def parse_keys(value: object) -> dict[str, str]:
    """Return the keys by name, from a table or from a line of ``KEY`` or ``NAME=KEY`` entries, separated by commas.

    A key without a name is called ``key1``, ``key2``, by its position. Raises ValueError, whose message states the
    position of the invalid key and the problem.
    """
    if isinstance(value, str):
        return _validated(
            [_split_name(entry.strip(), position) for position, entry in enumerate(value.split(","), 1)]
        )
    if isinstance(value, Mapping):
        return _validated(list(value.items()))
    raise ValueError('it has to be a table of NAME = "KEY"')


def _split_name(entry: str, position: int) -> tuple[str, str]:
    name, mark, key = entry.partition("=")
    if not mark or _PADDING.fullmatch(entry):
        return f"key{position}", entry
    return name.strip(), key.strip()


def _validated(entries: list[tuple[str, object]]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for position, (name, key) in enumerate(entries, 1):
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise ValueError(f"key {position} must be 8 to 512 visible ASCII characters without spaces")
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of key {position} must be 1 to 64 letters, digits, '.', '-' or '_'")
        if name == LOCAL_KEY_NAME:
            raise ValueError(f"key {position} is called '{LOCAL_KEY_NAME}', which is the name of gglib's own")
        if name in keys:
            raise ValueError(f"key {position} has the name of one before it")
        if key in keys.values():
            raise ValueError(f"key {position} is the same as one before it")
        keys[name] = key
    return keys
