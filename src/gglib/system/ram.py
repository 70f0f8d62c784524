"""The main memory as the system reports it. Values only; None if the system does not report it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ram:
    """The total and what is available to programs, in bytes. In a container, within its limits."""

    total_bytes: int | None = None
    available_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class MemoryState:
    """The memory at one moment, to be compared with another moment."""

    oom_kills: int | None = None
    """How many processes with our limits the OOM killer has killed so far."""
    available_bytes: int | None = None
    """What was available to programs."""
