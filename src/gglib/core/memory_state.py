"""What the system says of memory at one moment, to be compared with another moment. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemoryState:
    """None where the system does not say."""

    oom_kills: int | None = None
    """How many processes the system has killed so far for want of memory, of those that share our limits."""
    available_bytes: int | None = None
    """What programs could have."""
