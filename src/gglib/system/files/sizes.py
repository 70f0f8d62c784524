"""Formats sizes, and says how much of a disk stays free. Pure."""

SPARE_BYTES = 64 * 1024 * 1024
"""Never used by a download: a full disk does more harm than a model is worth."""


def format_size(size_bytes: int) -> str:
    """Return a size in powers of ten, as disk vendors and the hub do; only zero bytes are 0 MB."""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{max(round(size_bytes / 1e6), min(size_bytes, 1))} MB"
