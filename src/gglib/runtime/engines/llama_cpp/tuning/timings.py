"""The requests of a measurement and the engine's own timings in their responses. Pure.

``POST /completion`` and ``POST /tokenize`` of llama.cpp's server. The engine times both parts itself, so neither the
connection nor gglib is in them.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

from gglib.runtime.engines.rates import Rates

COMPLETION_PATH, TOKENIZE_PATH = b"/completion", b"/tokenize"
SEED = 1
"""The same random choice of tokens for each candidate."""


def completion_body(prompt: Sequence[int], tokens: int) -> bytes:
    """Return the request for exactly ``tokens`` tokens after a prompt that is computed as a whole."""
    fields = {
        "prompt": list(prompt),
        "n_predict": tokens,
        "ignore_eos": True,
        "cache_prompt": False,
        "seed": SEED,
        "stream": False,
    }
    return json.dumps(fields).encode()


def tokenize_body(text: str) -> bytes:
    """Return the request for the tokens of a text."""
    return json.dumps({"content": text}).encode()


def parse_tokens(body: bytes) -> list[int]:
    """Return the tokens of a text. Raises ValueError for another response."""
    tokens = _object(body).get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
        raise ValueError("its response has no tokens")
    return tokens


def parse_rates(body: bytes, *, prompt_tokens: int, tokens: int) -> Rates:
    """Return the measured rates. Raises ValueError if the engine did not compute all tokens, or does not time them."""
    timings = _object(body).get("timings")
    if not isinstance(timings, dict):
        raise ValueError("its response has no timings")  # noqa: TRY004 - of the engine, not of the caller
    computed = (timings.get("prompt_n"), timings.get("predicted_n"))
    if computed != (prompt_tokens, tokens):
        raise ValueError(
            f"it computed {computed[0]} and {computed[1]} tokens instead of {prompt_tokens} and {tokens}"
        )
    return Rates(
        prompt_per_s=_rate(timings, "prompt_per_second"),
        generated_per_s=_rate(timings, "predicted_per_second"),
    )


def error_text(body: bytes) -> str:
    """Return the message of an error response, or its first characters."""
    try:
        found = _object(body).get("error")
    except ValueError:
        found = None
    message = found.get("message") if isinstance(found, dict) else None
    return str(message) if message else body[:200].decode(errors="replace")


def _rate(timings: dict[str, Any], name: str) -> float:
    value = timings.get(name)
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"its timings have no '{name}'")
    return float(value)


def _object(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises ValueError for anything else."""
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("its response is not a JSON object")  # noqa: TRY004 - of the engine, not of the caller
    return found
