"""llama.cpp's own routes ``/completion`` and ``/tokenize``: shapes only, as observed (b11549). Pure."""

from collections.abc import Mapping
from typing import Any

from gglib.testing.scripted_server.options import Options
from gglib.testing.scripted_server.payloads import dumps

COMPLETION_PATH, TOKENIZE_PATH = "/completion", "/tokenize"
PROMPT_PER_S, GENERATED_PER_S = 1000.0, 100.0
"""The rates in the timings, in tokens per second, at the speed 1."""


def response(path: str, request: Mapping[str, Any], *, speed: float) -> bytes | None:
    """Return the body for a request; None for another path. A token stands for each word of a text."""
    if path == TOKENIZE_PATH:
        return dumps({"tokens": [100 + len(word) for word in str(request.get("content", "")).split()]})
    if path != COMPLETION_PATH:
        return None
    prompt, predicted = request.get("prompt") or [], int(request.get("n_predict") or 1)
    prompt_n = len(prompt) if isinstance(prompt, list) else len(str(prompt).split())
    timings = _timings(prompt_n, predicted, speed)
    return dumps({"content": "t0 ", "tokens_predicted": predicted, "stop": True, "timings": timings})


def _timings(prompt_n: int, predicted_n: int, speed: float) -> dict[str, Any]:
    prompt_per_s, generated_per_s = PROMPT_PER_S * speed, GENERATED_PER_S * speed
    return {
        "cache_n": 0,
        "prompt_n": prompt_n,
        "prompt_ms": prompt_n / prompt_per_s * 1000,
        "prompt_per_second": prompt_per_s,
        "predicted_n": predicted_n,
        "predicted_ms": predicted_n / generated_per_s * 1000,
        "predicted_per_second": generated_per_s,
    }


def values_for(values: Mapping[str, Any], options: Options) -> list[Any]:
    """Return the values whose key, such as ``--threads=4``, is an argument of the command line."""
    given = {f"{name}={text}" if text else name for name, text in options.values.items()}
    return [value for argument, value in values.items() if argument in given]
