"""Formats and parses sizes in bytes, and says how much of a disk stays free. Pure."""

import re

SPARE_BYTES = 64 * 1024 * 1024
"""Never used by a download: a full disk does more harm than a model is worth."""

_LEAST_GB = 999_500_000
"""Rounds to 1.0 GB; below, to at most 999 MB."""
_LEAST_MB = 999_500

_SIZE = re.compile(
    r"(?P<number>\d{1,9}(?:\.\d{1,3})?)\s*(?P<unit>[kmgt])(?P<binary>i?)b?", re.IGNORECASE | re.ASCII
)
_POWER = {"k": 1, "m": 2, "g": 3, "t": 4}


def format_size(size_bytes: int) -> str:
    """Return a size in decimal units, the only style in which gglib shows sizes: 1 GB is 1,000,000,000 bytes.

    Files and memory have the same units, so that they can be compared: those of the hub, of disks, of Finder, and of
    ``parse_size``. Only zero bytes are 0 MB.
    """
    if size_bytes >= _LEAST_GB:
        return f"{size_bytes / 1e9:.1f} GB"
    if size_bytes >= _LEAST_MB or not size_bytes:
        return f"{round(size_bytes / 1e6)} MB"
    return f"{max(1, round(size_bytes / 1e3))} kB"


def format_size_of(size_bytes: int, total_bytes: int) -> str:
    """Return a part of a size: ``1.9 of 4.7 GB``, or ``470 MB of 4.7 GB`` if the units differ."""
    size, total = format_size(size_bytes), format_size(total_bytes)
    unit = total.partition(" ")[2]
    return f"{size.removesuffix(f' {unit}')} of {total}"


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
