"""Parses sizes such as ``8G``."""

import re

from gglib.core.errors import InvalidSettingError

_SIZE = re.compile(
    r"(?P<number>\d{1,9}(?:\.\d{1,3})?)\s*(?P<unit>[kmgt])(?P<binary>i?)b?", re.IGNORECASE | re.ASCII
)
_POWER = {"k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str, option: str) -> int:
    """Return the bytes of an option's value: ``8G`` is 8,000,000,000, as file sizes are shown; ``8GiB`` is 8 * 1024**3.

    Raises ``InvalidSettingError``.
    """
    found = _SIZE.fullmatch(text.strip())
    size_bytes = 0
    if found is not None:
        base = 1024 if found["binary"] else 1000
        size_bytes = int(float(found["number"]) * base ** _POWER[found["unit"].lower()])
    if size_bytes <= 0:
        raise InvalidSettingError(f"{option} is {text!r}, but it must be a size like 8G or 500M.")
    return size_bytes
