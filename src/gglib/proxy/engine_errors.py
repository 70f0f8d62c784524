"""The engine's errors in the shape that clients know. Pure.

llama-server's ``code`` is the status as a number, where OpenAI's clients have a word or null, and look for the word.
"""

import json

from gglib.proxy.errors import error_body

SIZE_LIMIT_BYTES = 64 * 1024
"""An error is a sentence; what is longer is none and is relayed as it is."""

_CODES = {"exceed_context_size_error": "context_length_exceeded"}
"""Clients shorten the conversation when they see OpenAI's word for it."""


def retell(body: bytes) -> bytes | None:
    """Return the engine's error as ours would look; None where ``body`` is not an error of the engine."""
    try:
        error = json.loads(body)["error"]
        message, type_, code = str(error["message"]), str(error["type"]), error.get("code")
    except (ValueError, TypeError, LookupError, RecursionError, AttributeError):
        return None
    return error_body(message, type_=type_, code=code if isinstance(code, str) else _CODES.get(type_))
