"""Sizes as people say them, and how much of a disk stays free. Pure."""

SPARE_BYTES = 64 * 1024 * 1024
"""What no download takes: a disk that is full to the last byte harms more than a model helps."""


def size_words(size_bytes: int) -> str:
    """Return a size in powers of ten, as disks are sold and the hub shows it; nothing but nothing is 0 MB."""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{max(round(size_bytes / 1e6), min(size_bytes, 1))} MB"
