"""Parses access keys from the settings: a TOML table by name, or a line. Pure.

Messages show no key. They show a name only for a table with a valid key, because a user may have swapped the two.
"""

import difflib
import re
from collections.abc import Mapping

from gglib.core.api_keys import ALL_MODELS, LOCAL_KEY_NAME, ApiKey, KeyLimits
from gglib.core.priority import Priority

LIMITS = {"rpm": 1_000_000, "tpm": 1_000_000_000, "parallel": 10_000}
"""The limits in a key's table (``KeyLimits``), with their largest values."""
KEY_FIELDS = ("key", "models", "admin", "priority", *LIMITS)
"""The entries of a key's table."""
_FIELDS_SHOWN = ", ".join(map("'{}'".format, KEY_FIELDS[:-1])) + f" and '{KEY_FIELDS[-1]}'"

_KEY = re.compile(r"[!-~]{8,512}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")
_PADDING = re.compile(r"[^=]+={1,2}")
"""A base64 key with padding, not NAME=KEY."""
_PRIORITIES = {priority.name.lower(): priority for priority in Priority}


class _InvalidKeyError(ValueError):
    """The entry of a key is invalid; the message continues "key 2 ..."."""


def parse_keys(value: object) -> dict[str, ApiKey]:
    """Return the keys by name, from a table or from a line of ``KEY`` or ``NAME=KEY`` entries, separated by commas.

    An entry of the table is a string, which is an admin key, or a table with the ``KEY_FIELDS``. A key without a name
    is called ``key1``, ``key2``, by its position. Raises ValueError, whose message states the invalid key, by its name
    or its position, and the problem.
    """
    if isinstance(value, str):
        return _validated(
            [_split_name(entry.strip(), position) for position, entry in enumerate(value.split(","), 1)]
        )
    if isinstance(value, Mapping):
        return _validated(list(value.items()))
    raise ValueError('it has to be a table of NAME = "KEY", or of tables [api_keys.NAME]')


def is_key_name(name: str) -> bool:
    """Whether a new key can be called so: ``jobs.models`` is an entry of the key ``jobs`` in ``gglib config``."""
    is_entry = name.rpartition(".")[2] in KEY_FIELDS
    return bool(_NAME.fullmatch(name)) and name != LOCAL_KEY_NAME and not is_entry


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
            raise ValueError(f"{_label(name, entry, position)} {error}") from None
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


def _label(name: str, entry: object, position: int) -> str:
    """Return how messages call a key: by its name, if that is certainly not the key itself, else by its position."""
    is_named = isinstance(entry, Mapping) and _is_key(entry.get("key")) and _NAME.fullmatch(name)
    return f"key '{name}'" if is_named else f"key {position}"


def _is_key(value: object) -> bool:
    return isinstance(value, str) and bool(_KEY.fullmatch(value))


def _api_key(entry: object) -> ApiKey:
    """Return the key of one entry of the table."""
    if not isinstance(entry, Mapping):
        return ApiKey.admin(_parse_key(entry))
    unknown = [field for field in entry if field not in KEY_FIELDS]
    if unknown:
        close = difflib.get_close_matches(
            unknown[0], KEY_FIELDS, n=1
        )  # never shows the entry: it may be a key
        meant = f" (did you mean '{close[0]}'?)" if close else ""
        raise _InvalidKeyError(f"has an unknown entry{meant}: its table may have {_FIELDS_SHOWN}")
    if "key" not in entry:
        raise _InvalidKeyError("has no 'key'")
    key, models = _parse_key(entry.get("key")), _parse_models(entry.get("models", list(ALL_MODELS)))
    is_admin = entry.get("admin", False)
    if not isinstance(is_admin, bool):
        raise _InvalidKeyError("must have 'admin = true' or 'admin = false'")
    if is_admin and "*" not in models:
        raise _InvalidKeyError(
            "has 'admin = true' and 'models': an admin key may use all models, so omit one of them"
        )
    limits = KeyLimits(**{name: _parse_limit(name, entry.get(name)) for name in LIMITS})
    priority = _parse_priority(entry.get("priority"))
    return ApiKey(key=key, models=models, is_admin=is_admin, priority=priority, limits=limits)


def _parse_key(value: object) -> str:
    if not isinstance(value, str) or not _is_key(value):
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


def _parse_limit(name: str, value: object) -> int | None:
    """Return a limit; None (it is not set) stays None."""
    if value is None:
        return None
    highest = LIMITS[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        raise _InvalidKeyError(f"must have a whole number from 1 to {highest:,} as '{name}'")
    return value
