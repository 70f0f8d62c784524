"""Clamps token limits that an engine would misread. Pure.

llama-server truncates numbers to signed 32 bits: 2^32 and 2^40 become 0, which generates one token, 2^32 + 5 becomes 5,
and 2^31 is refused as -2147483648 (tested on each of its routes with xllamacpp 2026.10.11549). -1 means no limit; it
refuses -2. Such numbers mean "as much as possible", and no response exceeds the context anyway.
"""

import re
from collections.abc import Mapping

TOKEN_LIMITS = frozenset(
    {
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "n_predict",
        "reasoning_budget_tokens",
        "thinking_budget_tokens",
    }
)
"""Root fields of a body: those of OpenAI, Anthropic and llama.cpp."""

MAX_TOKENS = 2**31 - 1
NO_LIMIT = -1

_NUMBER = re.compile(rb"-?[0-9]")


def has_out_of_range_limit(fields: Mapping[str, object]) -> bool:
    """Whether a parsed root object has a limit that must be clamped."""
    for name in TOKEN_LIMITS.intersection(fields):
        value = fields[name]
        if isinstance(value, (int, float)) and not NO_LIMIT <= value <= MAX_TOKENS:
            return True
    return False


def clamped_limit(value: bytes) -> bytes | None:
    """Return the clamped JSON of a limit; None if ``value`` needs no change.

    Non-numbers are left for the engine to refuse. ``value`` may be cut after many digits.
    """
    if _NUMBER.match(value) is None:
        return None
    number = float(value)
    if number > MAX_TOKENS:
        return b"%d" % MAX_TOKENS
    return b"%d" % NO_LIMIT if number < NO_LIMIT else None
