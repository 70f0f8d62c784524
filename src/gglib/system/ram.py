"""The memory that the processor works in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ram:
    """All of it, and what programs can have of it now; in bytes, None where the system does not say."""

    total_bytes: int | None = None
    available_bytes: int | None = None
