"""Normalizes paths that result from slightly wrong base URLs, if they can only mean one route. Pure.

Clients join base URL and path in different ways. A trailing slash, ``/v1`` twice or a missing ``/v1`` is the most
frequent configuration mistake.
"""

_VERSION = "v1"
_WITHOUT_VERSION = ("chat", "responses", "models", "messages")
"""First segments that mean OpenAI's or Anthropic's route even without ``/v1``. ``/completions``, ``/embeddings`` and
``/rerank`` are not listed: without ``/v1`` they are llama.cpp's own, with a different response schema."""


def normalize_path(path: str) -> str:
    """Return the normalized path: single slashes, no trailing slash, and ``/v1`` once where it belongs.

    Dots, escapes and letter case stay unchanged. Idempotent.
    """
    segments = [segment for segment in path.split("/") if segment]
    while segments[:2] == [_VERSION, _VERSION]:
        del segments[0]
    if segments and segments[0] in _WITHOUT_VERSION:
        segments.insert(0, _VERSION)
    return "/" + "/".join(segments)
