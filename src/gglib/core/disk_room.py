"""How much of a disk stays free. Pure."""

SPARE_BYTES = 64 * 1024 * 1024
"""What no download takes: a disk that is full to the last byte harms more than a model helps."""
