"""How long the engine would take to process the prompts in its slots again, from its own figures. Pure.

From ``GET /slots`` (the tokens in each slot) and ``GET /metrics`` (the tokens and seconds of all prompts so far), as of
llama.cpp b11549.
"""

import json
import re

_TOTAL = re.compile(rb"^llamacpp:prompt_(tokens|seconds)_total ([0-9.eE+\-]+)$", re.MULTILINE)


def prompt_cost_s(slots: bytes, metrics: bytes) -> float | None:
    """Return the seconds for all prompts in the slots; None if the figures are missing or no prompt was processed."""
    tokens, totals = _cached_tokens(slots), prompt_totals(metrics)
    if tokens is None or totals is None:
        return None
    processed, seconds = totals
    return tokens * seconds / processed


def prompt_totals(metrics: bytes) -> tuple[float, float] | None:
    """Return the tokens and the seconds of all prompts so far; None if they are missing or no prompt was processed."""
    totals = {name: float(value) for name, value in _TOTAL.findall(metrics)}
    processed, seconds = totals.get(b"tokens", 0.0), totals.get(b"seconds")
    return None if seconds is None or processed <= 0 else (processed, seconds)


def _cached_tokens(slots: bytes) -> int | None:
    try:
        found = json.loads(slots)
    except ValueError:
        return None
    if not isinstance(found, list):
        return None
    counts = [slot.get("n_prompt_tokens", 0) for slot in found if isinstance(slot, dict)]
    return sum(count for count in counts if isinstance(count, int))
