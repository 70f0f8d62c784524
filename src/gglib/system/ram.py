"""The memory that the processor works in, as the system reports it. Values only; None where it reports nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ram:
    """All of it, and what programs can have of it now; in bytes. In a container both are what its limits leave."""

    total_bytes: int | None = None
    available_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class MemoryState:
    """The memory at one moment, to be compared with another moment."""

    oom_kills: int | None = None
    """How many processes the system has killed so far for want of memory, of those that share our limits."""
    available_bytes: int | None = None
    """What programs could have."""
