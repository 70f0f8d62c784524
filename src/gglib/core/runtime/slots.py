"""How many slots are wanted of a launch: each answers one request at a time. Pure; contexts in tokens."""

DEFAULT_SLOTS = 4
MAX_CACHE_TOKENS = 2**31 - 1
"""llama.cpp counts the places of a cache in 32 bits with a sign."""


def clamp_slots(wanted: int, context: int) -> int:
    """Return ``wanted``, or as many slots of ``context`` tokens as an engine can count; at least one."""
    return max(1, min(wanted, MAX_CACHE_TOKENS // max(1, context)))
