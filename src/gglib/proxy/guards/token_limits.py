"""Limits of tokens that an engine would misread, and what is sent instead. Pure.

llama-server reads a number into 32 bits with a sign, and keeps its lower half where it has more: 2^32 and 2^40 become
0, which it answers with one token, 2^32 + 5 becomes 5, and 2^31 is refused as -2147483648 (tried on each of its routes
with xllamacpp 2026.10.11549). It takes -1 for no limit, and refuses -2. A client that sends such a number wants as
much as there is: no answer is longer than its context anyway.
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
"""Fields at the root of a body: of OpenAI's and Anthropic's routes, and of llama.cpp's own."""

MAX_TOKENS = 2**31 - 1
NO_LIMIT = -1

_NUMBER = re.compile(rb"-?[0-9]")


def has_out_of_range_limit(fields: Mapping[str, object]) -> bool:
    """Whether the members of a root object, as ``json`` builds them, hold a number that has to be replaced."""
    for name in TOKEN_LIMITS.intersection(fields):
        value = fields[name]
        if isinstance(value, (int, float)) and not NO_LIMIT <= value <= MAX_TOKENS:
            return True
    return False


def clamped_limit(value: bytes) -> bytes | None:
    """Return what to send instead of the JSON ``value`` of such a field; None where it is sent as it is.

    What is not a number is for the engine to refuse. A long one may be cut off: no digit beyond matters.
    """
    if _NUMBER.match(value) is None:
        return None
    number = float(value)
    if number > MAX_TOKENS:
        return b"%d" % MAX_TOKENS
    return b"%d" % NO_LIMIT if number < NO_LIMIT else None
