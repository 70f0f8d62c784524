"""Encodes errors in each dialect: as a complete response, and as the end of an event stream. Pure.

The dialect follows from path and headers alone, so it is known before any check. Sources: OpenAI's reference of errors
and streaming events (``ResponseErrorEvent``, ``ResponseFailedEvent``), Anthropic's pages on errors and streaming, and
the behaviour of their official clients (openai 3.54, anthropic 2.14).
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from gglib.http.sse import error_event
from gglib.proxy.dialects.base import ErrorDialect, EventErrorDialect
from gglib.proxy.dialects.ollama.errors import OLLAMA
from gglib.proxy.errors import ContextLengthExceededError, ErrorResponse, to_json

_CACHE_SIZE = 64


class OpenAiErrors(EventErrorDialect):
    """``{"error": {message, type, param, code}}``; in a stream the same as ``data:``, without ``[DONE]``."""

    def body(self, error_response: ErrorResponse, request_id: str) -> bytes:
        """Return OpenAI's error object."""
        del request_id
        return error_response.body

    def events(self, error_response: ErrorResponse, request_id: str, tail: bytes) -> bytes:
        """Return one event, at which the official client raises."""
        del request_id, tail
        return error_event(error_response.body)


class ResponsesErrors(OpenAiErrors):
    """OpenAI's Responses API: the usual body; in a stream the events ``error`` and ``response.failed``."""

    def events(self, error_response: ErrorResponse, request_id: str, tail: bytes) -> bytes:
        """Return both events, in the order of OpenAI's server.

        ``error`` has the fields of the specification and the object ``error``, at which the official client raises.
        Codex reads only ``response.failed``; without it, it assumes a broken connection and retries five times.
        """
        number = _next_sequence_number(tail)
        code = error_response.code or error_response.type_
        error = {
            "type": "error",
            "sequence_number": number,
            "code": code,
            "message": error_response.message,
            "param": error_response.param,
            "error": error_response.error,
        }
        failed = {
            "type": "response.failed",
            "sequence_number": number + 1,
            "response": {
                "id": f"resp_{request_id}",
                "object": "response",
                "status": "failed",
                "error": {"code": code, "message": error_response.message},
                "output": [],
            },
        }
        return error_event(to_json(error), b"error") + error_event(to_json(failed), b"response.failed")


class AnthropicErrors(EventErrorDialect):
    """``{"type": "error", "error": {type, message}, "request_id"}``; in a stream the event ``error`` with the same."""

    request_id_header = b"request-id"

    def body(self, error_response: ErrorResponse, request_id: str) -> bytes:
        """Return Anthropic's error object."""
        error = {
            "type": anthropic_error_type(error_response.status),
            "message": _anthropic_message(error_response),
            **dict(error_response.details),
        }
        return to_json({"type": "error", "error": error, "request_id": request_id})

    def events(self, error_response: ErrorResponse, request_id: str, tail: bytes) -> bytes:
        """Return one named event, at which the official clients raise; they skip events without a name."""
        del tail
        return error_event(self.body(error_response, request_id), b"error")


OPENAI = OpenAiErrors()
RESPONSES = ResponsesErrors()
ANTHROPIC = AnthropicErrors()

_BY_RESOURCE: dict[str, ErrorDialect] = {"messages": ANTHROPIC, "responses": RESPONSES}
_VERSION = "v1"
_OWN_PATHS = "/gglib/"

ANTHROPIC_VERSION = b"anthropic-version"
"""The header that Anthropic's clients send with each request."""
_OLLAMA_PREFIX = "api"
_LM_STUDIO_VERSIONS = frozenset(("v0", "v1"))
"""Second segments of the paths of LM Studio's API, whose errors are OpenAI's."""

_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",  # Anthropic sends 529 for overload
    504: "timeout_error",
    529: "overloaded_error",
}
"""Anthropic's table of HTTP errors. Others: ``invalid_request_error`` below 500, else ``api_error``."""

_SEQUENCE_NUMBER = re.compile(rb'"sequence_number": ?(\d{1,12})\b')


@lru_cache(maxsize=_CACHE_SIZE)
def dialect_of(path: str) -> ErrorDialect:
    """Return the dialect of a raw path, even of an unknown one: a client with a misspelled path expects its dialect."""
    names = [name for name in path.split("/") if name]
    if names[:1] == [_OLLAMA_PREFIX] and _LM_STUDIO_VERSIONS.isdisjoint(names[1:2]):
        return OLLAMA
    resource = next((name for name in names if name != _VERSION), "")
    return _BY_RESOURCE.get(resource, OPENAI)


def dialect_for(path: str, fields: Mapping[bytes, bytes]) -> ErrorDialect:
    """Return the dialect of a request: that of its path, or Anthropic's on shared and unknown paths.

    Only Anthropic's clients send ``anthropic-version``.
    """
    dialect = dialect_of(path)
    if dialect is OPENAI and ANTHROPIC_VERSION in fields and not path.startswith(_OWN_PATHS):
        return ANTHROPIC
    return dialect


def anthropic_error_type(status: int) -> str:
    """Return Anthropic's error type for a status."""
    return _ANTHROPIC_TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")


def _anthropic_message(error_response: ErrorResponse) -> str:
    """Return the message; if the context is exceeded, in Anthropic's wording, which clients match."""
    if error_response.code != ContextLengthExceededError.code:
        return error_response.message
    details = dict(error_response.details)
    prompt_tokens, n_ctx = details.get("n_prompt_tokens"), details.get("n_ctx")
    if prompt_tokens is None or n_ctx is None:
        return f"prompt is too long: {error_response.message}"
    return f"prompt is too long: {prompt_tokens} tokens > {n_ctx} maximum{error_response.hint}"


def _next_sequence_number(tail: bytes) -> int:
    """Return the next sequence number of a stream; 0 if it has none, like llama.cpp's."""
    numbers = _SEQUENCE_NUMBER.findall(tail)
    return int(numbers[-1]) + 1 if numbers else 0
