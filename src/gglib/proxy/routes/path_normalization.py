"""Other spellings of a path that can mean only one route: what base URLs that are off by a part lead to. Pure.

Clients join a base URL and a path in different ways, so a base URL with a slash at its end, with ``/v1`` where the
client adds it, or without it where the client does not, is the most frequent mistake of a first try.
"""

_VERSION = "v1"
_WITHOUT_VERSION = ("chat", "responses", "models", "messages")
"""First segments that mean OpenAI's or Anthropic's route also without ``/v1``. ``/completions``, ``/embeddings`` and
``/rerank`` are not among them: without ``/v1`` they are llama.cpp's own, with answers of another shape."""


def normalize_path(path: str) -> str:
    """Return the spelling that routes have: single slashes, none at the end, and ``/v1`` once where it belongs.

    Dots, escapes and the case of letters stay as they are. The result of a result is itself.
    """
    segments = [segment for segment in path.split("/") if segment]
    while segments[:2] == [_VERSION, _VERSION]:
        del segments[0]
    if segments and segments[0] in _WITHOUT_VERSION:
        segments.insert(0, _VERSION)
    return "/" + "/".join(segments)
