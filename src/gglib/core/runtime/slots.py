"""The slots of a launch: how many, and copies of them. Each serves one request at a time. Pure; contexts in tokens."""

from dataclasses import dataclass

DEFAULT_SLOTS = 4
MAX_CACHE_TOKENS = 2**31 - 1
"""llama.cpp counts cache cells in a signed 32-bit integer."""


def clamp_slots(wanted: int, context: int) -> int:
    """Return ``wanted``, limited to the slots of ``context`` tokens that an engine can count; at least 1."""
    return max(1, min(wanted, MAX_CACHE_TOKENS // max(1, context)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotCopy:
    """A copy of the prompt in one slot to another one, for a request that begins with the same text."""

    source: int
    destination: int
    shared_bytes: int
    """How much of the source's text the request begins with, beyond what it has in common with the destination."""
    size_bytes: int
    """The size of the source's text; a copy takes the whole of it."""
