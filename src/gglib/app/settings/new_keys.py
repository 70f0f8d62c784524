"""Generates access keys, and checks and changes their entries in ``config.toml``."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gglib.app.settings.access_keys import KEY_FIELDS, LIMITS, is_key_name, parse_keys
from gglib.core.errors import InvalidSettingError
from gglib.core.shell_quoting import in_quotes, shell_command

PREFIX = "sk-"
"""Some clients of OpenAI's API refuse keys without it."""
_BYTES = 32


def generate_key() -> str:
    """Return a new key: 256 random bits in URL-safe base64."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRights:
    """What a new key may do."""

    is_admin: bool = False
    models: Sequence[str] = ()
    """Patterns; none: all models."""
    priority: str | None = None
    """None: that of the model."""
    limits: Mapping[str, int | None] = field(default_factory=dict)
    """By name (``access_keys.LIMITS``)."""


def parse_limit(name: str, text: str) -> int | None:
    """Return a limit from the command line; None for ``none``. Raises ``InvalidSettingError``."""
    if text.strip().lower() == "none":
        return None
    digits = text.strip().replace(",", "").replace("_", "")
    if digits.isdecimal() and 1 <= int(digits) <= LIMITS[name]:
        return int(digits)
    raise InvalidSettingError(
        f"--{name} cannot be '{text}': use a whole number from 1 to {LIMITS[name]:,}, or 'none'."
    )


def key_entry(name: str, key: str, rights: KeyRights, existing: object) -> dict[str, object]:
    """Return the table of a new key in ``config.toml``. Pure.

    ``existing`` is the value of ``api_keys`` there, None if it is missing. Raises ``InvalidSettingError`` if the name
    is not valid or is taken, or the rights contradict one another.
    """
    if not is_key_name(name):
        raise InvalidSettingError(
            f"'{name}' cannot be the name of a key: use 1 to 64 letters (A to Z), digits, '.', '-' or '_', the first "
            f"a letter or a digit; not 'local', and no {', '.join(KEY_FIELDS)} at the end."
        )
    if existing is not None and not isinstance(existing, Mapping):
        raise InvalidSettingError(
            "'api_keys' in config.toml is not a table: write its keys below [api_keys] first."
        )
    if name in (existing or {}):
        raise key_exists_error(name, rights)
    if rights.is_admin and rights.models:
        raise InvalidSettingError("An admin key may use all models: leave out --admin or --models.")
    given: dict[str, object] = {
        "models": list(rights.models),
        "admin": rights.is_admin,
        "priority": rights.priority,
        **rights.limits,
    }
    entry: dict[str, object] = {"key": key, **{field: value for field, value in given.items() if value}}
    try:
        parse_keys({name: entry})
    except ValueError as error:
        raise InvalidSettingError(f"The key cannot be made: {error}.") from None
    return entry


def changed_entry(
    name: str, existing: object, changes: Mapping[str, object]
) -> tuple[dict[str, object], Mapping[str, object]]:
    """Return the entry of a key after changes of its fields, and the entry as a table before. Pure.

    ``existing`` is its value in ``config.toml``: a table, or a string, which is an admin key. A change to None removes
    the field. Raises ``InvalidSettingError`` if the result is not valid.
    """
    table = existing if isinstance(existing, Mapping) else {"key": existing, "admin": True}
    entry = {field: value for field, value in {**table, **changes}.items() if value is not None}
    try:
        parse_keys({name: entry})
    except ValueError as error:
        raise InvalidSettingError(f"The key cannot be changed: {error}.") from None
    return entry, table


def key_exists_error(name: str, rights: KeyRights | None = None) -> InvalidSettingError:
    """Return the error for a new key with the name of another one. ``rights``: what the new one was to have."""
    fields = {} if rights is None else {**rights.limits, "priority": rights.priority}
    words = [
        word for field, value in fields.items() if value is not None for word in (f"--{field}", str(value))
    ]
    command = shell_command("key", "limit", *words, name)
    change = f"{in_quotes(command)} changes it, " if words else ""
    return InvalidSettingError(
        f"There is a key '{name}' already: {change}'gglib key revoke {name}' removes it."
    )
