"""Formats and parses sizes in bytes, and says how much of a disk stays free. Pure."""

import re

SPARE_BYTES = 64 * 1024 * 1024
"""Never used by a download: a full disk does more harm than a model is worth."""

_SIZE = re.compile(
    r"(?P<number>\d{1,9}(?:\.\d{1,3})?)\s*(?P<unit>[kmgt])(?P<binary>i?)b?", re.IGNORECASE | re.ASCII
)
_POWER = {"k": 1, "m": 2, "g": 3, "t": 4}


def format_size(size_bytes: int) -> str:
    """Return a size in powers of ten, as disk vendors and the hub do; only zero bytes are 0 MB."""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{max(round(size_bytes / 1e6), min(size_bytes, 1))} MB"


def parse_size(text: str) -> int:
    """Return the bytes of a size: ``8G`` is 8,000,000,000, as sizes are shown; ``8GiB`` is 8 * 1024**3.

    Raises ValueError.
    """
    found = _SIZE.fullmatch(text.strip())
    size_bytes = 0
    if found is not None:
        base = 1024 if found["binary"] else 1000
        size_bytes = int(float(found["number"]) * base ** _POWER[found["unit"].lower()])
    if size_bytes <= 0:
        raise ValueError(text)
    return size_bytes
