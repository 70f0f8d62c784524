"""Parses access keys from the settings: a TOML table by name, or a line. Pure.

Messages show neither a key nor a name, because a user may have swapped the two.
"""

import re
from collections.abc import Mapping

from gglib.core.api_keys import ALL_MODELS, ApiKey
from gglib.core.priority import Priority

KEY_FIELDS = ("key", "models", "admin", "priority")
"""The entries of a key's table."""
LOCAL_KEY_NAME = "local"
"""Name of the key that a server generates for gglib's own commands."""

_KEY = re.compile(r"[!-~]{8,512}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")
_PADDING = re.compile(r"[^=]+={1,2}")
"""A base64 key with padding, not NAME=KEY."""
_PRIORITIES = {priority.name.lower(): priority for priority in Priority}


class _InvalidKeyError(ValueError):
    """The entry of a key is invalid; the message continues "key 2 ..."."""


def parse_keys(value: object) -> dict[str, ApiKey]:
    """Return the keys by name, from a table or from a line of ``KEY`` or ``NAME=KEY`` entries, separated by commas.

    An entry of the table is a string, which is an admin key, or a table with ``key``, ``models``, ``admin`` and
    ``priority``. A key without a name is called ``key1``, ``key2``, by its position. Raises ValueError, whose message
    states the position of the invalid key and the problem.
    """
    if isinstance(value, str):
        return _validated(
            [_split_name(entry.strip(), position) for position, entry in enumerate(value.split(","), 1)]
        )
    if isinstance(value, Mapping):
        return _validated(list(value.items()))
    raise ValueError('it has to be a table of NAME = "KEY", or of tables [api_keys.NAME]')


def _split_name(entry: str, position: int) -> tuple[str, str]:
    name, mark, key = entry.partition("=")
    if not mark or _PADDING.fullmatch(entry):
        return f"key{position}", entry
    return name.strip(), key.strip()


def _validated(entries: list[tuple[str, object]]) -> dict[str, ApiKey]:
    keys: dict[str, ApiKey] = {}
    for position, (name, entry) in enumerate(entries, 1):
        if name in KEY_FIELDS:  # otherwise "priority" would be a key with all rights, which is easy to guess
            raise ValueError(
                f"key {position} has the name of an entry of a key: begin its table with [api_keys.NAME]"
            )
        try:
            key = _api_key(entry)
        except _InvalidKeyError as error:
            raise ValueError(f"key {position} {error}") from None
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of key {position} must be 1 to 64 letters, digits, '.', '-' or '_'")
        if name == LOCAL_KEY_NAME:
            raise ValueError(f"key {position} is called '{LOCAL_KEY_NAME}', which is the name of gglib's own")
        if name in keys:
            raise ValueError(f"key {position} has the name of one before it")
        if any(key.key == other.key for other in keys.values()):
            raise ValueError(f"key {position} is the same as one before it")
        keys[name] = key
    return keys


def _api_key(entry: object) -> ApiKey:
    """Return the key of one entry of the table."""
    if not isinstance(entry, Mapping):
        return ApiKey.admin(_parse_key(entry))
    if not entry.keys() <= set(KEY_FIELDS):
        raise _InvalidKeyError(
            "has an unknown entry: its table may have 'key', 'models', 'admin' and 'priority'"
        )
    key, models = _parse_key(entry.get("key")), _parse_models(entry.get("models", list(ALL_MODELS)))
    is_admin = entry.get("admin", False)
    if not isinstance(is_admin, bool):
        raise _InvalidKeyError("must have 'admin = true' or 'admin = false'")
    if is_admin and "*" not in models:
        raise _InvalidKeyError(
            "has 'admin = true' and 'models': an admin key may use all models, so omit one of them"
        )
    return ApiKey(key=key, models=models, is_admin=is_admin, priority=_parse_priority(entry.get("priority")))


def _parse_key(value: object) -> str:
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        raise _InvalidKeyError("must be 8 to 512 visible ASCII characters without spaces")
    return value


def _parse_models(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(glob, str) and glob for glob in value):
        raise _InvalidKeyError("must have a list with at least one model name or pattern as 'models'")
    return tuple(value)


def _parse_priority(value: object) -> Priority | None:
    """Return a priority by its name; None (it is not set) stays None."""
    if value is None:
        return None
    if not isinstance(value, str) or value not in _PRIORITIES:
        raise _InvalidKeyError(f"must have one of {', '.join(_PRIORITIES)} as 'priority'")
    return _PRIORITIES[value]
