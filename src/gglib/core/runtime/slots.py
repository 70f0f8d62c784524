"""Number of slots of a launch; each slot serves one request at a time. Pure; contexts in tokens."""

DEFAULT_SLOTS = 4
MAX_CACHE_TOKENS = 2**31 - 1
"""llama.cpp counts cache cells in a signed 32-bit integer."""


def clamp_slots(wanted: int, context: int) -> int:
    """Return ``wanted``, limited to the slots of ``context`` tokens that an engine can count; at least 1."""
    return max(1, min(wanted, MAX_CACHE_TOKENS // max(1, context)))
