"""Parsers for the values of settings, from text or TOML. Each raises ValueError for an invalid value."""

import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from gglib.core.addresses import is_loopback
from gglib.core.authorities import read_allowed_origin
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.memory import RAM, DeviceBytes
from gglib.core.runtime.engine_choice import EMBEDDED, plugin_choice
from gglib.core.sizes import parse_size

T = TypeVar("T")


class InvalidValueError(ValueError):
    """A text or a TOML value is invalid for the setting."""


def parse_text(value: object) -> str:
    """Return a non-blank text without surrounding whitespace."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidValueError
    return value.strip()


def parse_path(value: object) -> Path:
    """Return an absolute path; ``~`` is the user's home directory."""
    text = os.path.expanduser(parse_text(str(value)))  # noqa: PTH111 - no error for an unknown user
    return Path(text).absolute()


def parse_home_path(value: object) -> Path:
    """Return a path as it is, also a relative one; ``~`` is the user's home directory."""
    return Path(os.path.expanduser(parse_text(value)))  # noqa: PTH111 - no error for an unknown user


def parse_download_url(value: object) -> str:
    """Return an https address, or an http one of this machine, without credentials."""
    text = parse_text(value)
    parts = urlsplit(text)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not is_safe or not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise InvalidValueError
    return text.rstrip("/")


def parse_engine(value: object) -> Path:
    """Return the path of a program, ``EMBEDDED`` or the choice of a plug-in."""
    text = str(value).strip()
    return EMBEDDED if text == str(EMBEDDED) else plugin_choice(text) or parse_path(value)


def parse_integer(lowest: int, highest: int) -> Callable[[object], int]:
    """Return a parser for whole numbers within these bounds, inclusive."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise InvalidValueError
        number = int(value)
        if not lowest <= number <= highest:
            raise InvalidValueError
        return number

    return parse


def parse_second_port(value: object) -> int | None:
    """Return a port number; None for ``off``."""
    if isinstance(value, str) and value.strip().lower() == "off":
        return None
    return parse_integer(0, 65535)(value)


def parse_cluster_address(value: object) -> str | None:
    """Return HOST:PORT, of IPv6 with the host in brackets; None for ``off``."""
    text = parse_text(value)
    if text.lower() == "off":
        return None
    parts = urlsplit(f"//{text}")
    is_whole = not parts.path and not {"@", "?", "#"} & set(text)
    if not parts.hostname or not parts.port or not is_whole or len(text.split()) != 1:
        raise InvalidValueError
    return text


def parse_seconds(value: object) -> float:
    """Return a number of seconds, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidValueError
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise InvalidValueError
    return number


def parse_boolean(value: object) -> bool:
    """Return true or false, from TOML or from the usual words."""
    if isinstance(value, bool):
        return value
    try:
        return _BOOLEANS[parse_text(value).lower()]
    except KeyError:
        raise InvalidValueError from None


_BOOLEANS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def parse_choice(*choices: str) -> Callable[[object], str]:
    """Return a parser for some words, in any case."""

    def parse(value: object) -> str:
        word = parse_text(value).lower()
        if word not in choices:
            raise InvalidValueError
        return word

    return parse


def parse_list(read: Callable[[str], T]) -> Callable[[object], tuple[T, ...]]:
    """Return a parser for a TOML list, or for a comma-separated text; duplicates are removed."""

    def parse(value: object) -> tuple[T, ...]:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise InvalidValueError
        return tuple(dict.fromkeys(read(item.strip()) for item in items))

    return parse


def parse_origin(text: str) -> str:
    """Return an origin of web pages in lower case."""
    read_allowed_origin(text)
    return text.lower()


def parse_field_name(text: str) -> str:
    """Return the name of a request field."""
    if not re.fullmatch(r"[A-Za-z0-9_.\-]{1,64}", text):
        raise InvalidValueError
    return text


def parse_context(value: object) -> int:
    """Return a context in tokens; ``max`` means the model's trained context. Raises ValueError."""
    if isinstance(value, str) and value.strip().lower() == "max":
        return UNLIMITED_CONTEXT
    return parse_integer(1, UNLIMITED_CONTEXT)(value)


MAX_MODELS = 64
"""The largest number of models in memory."""

_DEVICE = re.compile(rf"{RAM}|gpu(?:0|[1-9][0-9]?)")


def parse_max_models(value: object) -> int | None:
    """Return a number of models; None for ``auto``: as many as fit into memory."""
    if isinstance(value, str) and value.strip().lower() == "auto":
        return None
    return parse_integer(1, MAX_MODELS)(value)


def parse_size_limit(value: object) -> str:
    """Return a size as it is written, ``0`` for 0 and ``off``."""
    if isinstance(value, bool):
        raise InvalidValueError
    text = parse_text(str(value))
    if text.lower() in {"0", "off"}:
        return "0"
    parse_size(text)
    return text


def parse_memory(value: object) -> DeviceBytes:
    """Return sizes by device, from a table or from a text of ``SIZE`` or ``DEVICE=SIZE`` entries, separated by commas.

    A size without a device is for the RAM.
    """
    if isinstance(value, str):
        pairs: list[tuple[str, object]] = [_split_device(entry) for entry in value.split(",")]
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        raise InvalidValueError
    sizes = {device: _device_size(device, size) for device, size in pairs}
    if not sizes or len(sizes) != len(pairs):
        raise InvalidValueError
    return sizes


def _split_device(entry: str) -> tuple[str, str]:
    device, mark, size = entry.partition("=")
    return (device.strip().lower(), size) if mark else (RAM, entry)


def _device_size(device: str, size: object) -> int:
    if not _DEVICE.fullmatch(device):
        raise InvalidValueError
    return parse_size(parse_text(size))
