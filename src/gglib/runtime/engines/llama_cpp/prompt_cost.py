"""How long the engine would take to process the prompts in its slots again, from its own figures. Pure.

From ``GET /slots`` (the tokens in each slot) and ``GET /metrics`` (the tokens and seconds of all prompts so far), as of
llama.cpp b11549.
"""

import json
import re

_TOTAL = re.compile(rb"^llamacpp:prompt_(tokens|seconds)_total ([0-9.eE+\-]+)$", re.MULTILINE)


def prompt_cost_s(slots: bytes, metrics: bytes) -> float | None:
    """Return the seconds for all prompts in the slots; None if the figures are missing or no prompt was processed."""
    tokens = _cached_tokens(slots)
    totals = {name: float(value) for name, value in _TOTAL.findall(metrics)}
    processed, seconds = totals.get(b"tokens", 0.0), totals.get(b"seconds")
    if tokens is None or seconds is None or processed <= 0:
        return None
    return tokens * seconds / processed


def _cached_tokens(slots: bytes) -> int | None:
    try:
        found = json.loads(slots)
    except ValueError:
        return None
    if not isinstance(found, list):
        return None
    counts = [slot.get("n_prompt_tokens", 0) for slot in found if isinstance(slot, dict)]
    return sum(count for count in counts if isinstance(count, int))
