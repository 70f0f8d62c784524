"""The lines of Ollama's streams (NDJSON), and its complete responses: the same objects. Pure; the clock is passed in.

Durations are in nanoseconds. ``created_at`` is a time of RFC 3339 in UTC.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from gglib.http.headers import STREAM_HEADERS, Headers

NDJSON_HEADERS: Headers = [(b"content-type", b"application/x-ndjson"), *STREAM_HEADERS]

_encode = msgspec.json.encode
_NS = 1_000_000_000
_NS_PER_MS = 1_000_000
_REASONS = {"length": "length", "limit": "length"}
"""``done_reason`` for the finish reasons of OpenAI's and of llama-server's own format; all others are ``stop``."""


class RequestClock(Protocol):
    """The times of one request."""

    def now(self) -> float:
        """Return the Unix time in seconds."""
        ...

    def elapsed_s(self) -> float:
        """Return the time since the request arrived."""
        ...

    def waited_s(self) -> float:
        """Return how long the request has waited for its model."""
        ...


def timestamp(unix_s: float) -> str:
    """Return a Unix time in RFC 3339, with milliseconds."""
    return _encoded_time(int(unix_s * 1000)).decode()


@lru_cache(maxsize=64)
def _encoded_time(unix_ms: int) -> bytes:
    """Return a time in RFC 3339. Cached, because many lines of concurrent streams have the same."""
    seconds, milliseconds = divmod(unix_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z".encode()


def done_reason(finish_reason: object) -> str:
    """Return Ollama's reason for the engine's."""
    return _REASONS.get(finish_reason, "stop") if isinstance(finish_reason, str) else "stop"


def counts(timings: Mapping[str, Any], usage: Mapping[str, Any], clock: RequestClock) -> dict[str, int]:
    """Return the counts and durations of a finished response, from the engine's ``timings``, else its ``usage``."""
    prompt = timings.get("prompt_n")
    prompt_tokens = usage.get("prompt_tokens", 0) if prompt is None else prompt + timings.get("cache_n", 0)
    return {
        "total_duration": int(clock.elapsed_s() * _NS),
        "load_duration": int(clock.waited_s() * _NS),
        "prompt_eval_count": prompt_tokens,
        "prompt_eval_duration": int(timings.get("prompt_ms", 0) * _NS_PER_MS),
        "eval_count": timings.get("predicted_n", usage.get("completion_tokens", 0)),
        "eval_duration": int(timings.get("predicted_ms", 0) * _NS_PER_MS),
    }


class ResponseLines(ABC):
    """Encodes the objects of one response. ``model`` is the name as the client wrote it."""

    _text_left: bytes
    """What is between the time and a text, with its opening quote."""
    piece_right: bytes
    """What follows a text in a line, with its closing quote."""

    def __init__(self, model: str, clock: RequestClock) -> None:
        self._head = b'{"model":%b,"created_at":"' % _encode(model)
        self.clock = clock

    def piece(
        self, content: str, *, thinking: str = "", tool_calls: bytes = b"", logprobs: list[Any] | None = None
    ) -> bytes:
        """Return a line with a part of the response; ``tool_calls`` is an encoded array."""
        said = self._said(content, thinking, tool_calls)
        return b'%b%b",%b%b,"done":false}\n' % (self._head, self._time(), said, _encoded_logprobs(logprobs))

    def piece_left(self, unix_s: float) -> bytes:
        """Return what comes before the JSON of a text in a line, with its opening quote, at a time."""
        return self._head + _encoded_time(int(unix_s * 1000)) + self._text_left

    def last(self, reason: str, numbers: Mapping[str, int]) -> bytes:
        """Return the last line of a stream."""
        return self.complete("", reason, numbers) + b"\n"

    def complete(  # noqa: PLR0913 - the parts of a response
        self,
        content: str,
        reason: str,
        numbers: Mapping[str, int],
        *,
        thinking: str = "",
        tool_calls: bytes = b"",
        logprobs: list[Any] | None = None,
    ) -> bytes:
        """Return the whole response as one object. ``numbers`` are the ``counts``, empty if nothing was generated."""
        return b'%b%b",%b%b,"done":true,%b' % (
            self._head,
            self._time(),
            self._said(content, thinking, tool_calls),
            _encoded_logprobs(logprobs),
            _encode({"done_reason": reason, **numbers})[1:],
        )

    def finished(self, reason: str, timings: Mapping[str, Any], usage: Mapping[str, Any]) -> bytes:
        """Return the last line of a stream with its counts."""
        return self.last(reason, counts(timings, usage, self.clock))

    def numbers(self, timings: Mapping[str, Any], usage: Mapping[str, Any]) -> dict[str, int]:
        """Return the counts of a complete response."""
        return counts(timings, usage, self.clock)

    def _time(self) -> bytes:
        return _encoded_time(int(self.clock.now() * 1000))

    @abstractmethod
    def _said(self, content: str, thinking: str, tool_calls: bytes) -> bytes:
        """Return the members with the text."""


class ChatLines(ResponseLines):
    """The objects of ``/api/chat``: the text is in ``message``."""

    _text_left = b'","message":{"role":"assistant","content":"'
    piece_right = b'"},"done":false}\n'

    def _said(self, content: str, thinking: str, tool_calls: bytes) -> bytes:
        return b'"message":{"role":"assistant","content":%b%b%b}' % (
            _encode(content),
            b',"thinking":%b' % _encode(thinking) if thinking else b"",
            b',"tool_calls":%b' % tool_calls if tool_calls else b"",
        )


class GenerateLines(ResponseLines):
    """The objects of ``/api/generate``: the text is ``response``."""

    _text_left = b'","response":"'
    piece_right = b'","done":false}\n'

    def _said(self, content: str, thinking: str, tool_calls: bytes) -> bytes:
        del tool_calls  # the request has no tools
        return b'"response":%b%b' % (
            _encode(content),
            b',"thinking":%b' % _encode(thinking) if thinking else b"",
        )


def _encoded_logprobs(logprobs: list[Any] | None) -> bytes:
    return b',"logprobs":%b' % _encode([_logprob(token) for token in logprobs]) if logprobs else b""


def _logprob(token: Mapping[str, Any]) -> dict[str, Any]:
    """Return a token with its alternatives, without the engine's ids."""
    shown = {name: token[name] for name in ("token", "logprob", "bytes") if token.get(name) is not None}
    if token.get("top_logprobs"):
        shown["top_logprobs"] = [_logprob(other) for other in token["top_logprobs"]]
    return shown
