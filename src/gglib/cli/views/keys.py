"""Describes access keys, never the keys themselves (``gglib key``). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from gglib.app.settings.suggestions import suggestion
from gglib.core.errors import InvalidSettingError

LIMITS = ("rpm", "tpm", "parallel")
LAST_KEY = "It was the last key: requests need none from now on."
NO_KEYS = "No access keys: requests need none. 'gglib key new NAME' makes one."


def key_rows(keys: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return a row for each key."""
    return [
        (
            key["name"],
            "all" if "*" in key["models"] else ", ".join(key["models"]),
            "yes" if key["admin"] else "no",
            key["priority"] or "-",
            *(_number(key[name]) for name in LIMITS),
        )
        for key in keys
    ]


def limit_fields(key: Mapping[str, Any], use: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the limits of a key, and what is used of them if a server with limits for it runs."""
    shown = {
        "priority": key["priority"] or "that of the model",
        **{name: "none" if key[name] is None else f"{key[name]:,}" for name in LIMITS},
    }
    if use is not None:
        reserved = f", {use['reserved_tokens']:,} reserved" if use["reserved_tokens"] else ""
        used = {
            "rpm": f"{use['requests']:,} in the last minute",
            "tpm": f"{use['tokens']:,} in the last minute{reserved}",
            "parallel": f"{use['running']:,} now",
        }
        shown |= {name: f"{shown[name]} ({used[name]})" for name in LIMITS if key[name] is not None}
    return shown


def _number(limit: int | None) -> str:
    return "-" if limit is None else f"{limit:,}"


def made_lines(name: str, path: str, *, is_first: bool) -> list[str]:
    """Return the lines below a new key."""
    lines = [f"This is the key '{name}', which is not shown again. It is in {path}."]
    if is_first:
        lines.append("It is the first key: from now on every request needs a key.")
    return [*lines, "Clients send it as their API key: 'gglib connect' shows how."]


def unknown_key_error(name: str, known: Sequence[str], source: str | None) -> InvalidSettingError:
    """Return the error for a name that config.toml does not have."""
    if source not in {None, "config.toml"}:
        return InvalidSettingError(f"config.toml has no key '{name}': the keys in use are from {source}.")
    if not known:
        return InvalidSettingError(f"There is no key '{name}': config.toml has no keys.")
    return InvalidSettingError(f"There is no key '{name}'{suggestion(name, known)}")
