"""Parses streamed responses of the OpenAI chat dialect. Performs no I/O: the lines of a stream are passed in."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gglib.core.errors import GglibError, UpstreamError
from gglib.http.sse import read_events


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """A part of a response, or of a reasoning model's thoughts."""

    text: str
    is_reasoning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEnd:
    """What the last events of a response say; empty if the server does not say it."""

    finish_reason: str | None = None
    """``stop``, or ``length`` at a limit on tokens."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    """OpenAI's counts of tokens."""
    timings: Mapping[str, Any] = field(default_factory=dict)
    """llama.cpp's times in ms, and tokens per second."""

    def count(self, name: str) -> int | None:
        """Return a number of ``usage``; None if it is missing."""
        return _integer(self.usage.get(name))

    @property
    def cached_tokens(self) -> int | None:
        """The tokens of the prompt that the engine had in its cache."""
        details = self.usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else None
        return _integer(self.timings.get("cache_n") if cached is None else cached)


class ChatStream:
    """Iterates over the parts of a streamed response. ``end`` is complete after the last part.

    Raises ``UpstreamError`` if the stream contains an error, or ends prematurely.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.end = ChatEnd()
        self._deltas = self._read(lines)

    def __iter__(self) -> Iterator[ChatDelta]:
        return self._deltas

    def __next__(self) -> ChatDelta:
        return next(self._deltas)

    def _read(self, lines: Iterable[bytes]) -> Iterator[ChatDelta]:
        events = read_events(lines)
        for event in events:
            if event.data == b"[DONE]":
                with suppress(GglibError):
                    deque(
                        events, maxlen=0
                    )  # a client that leaves now may count as one that left its response
                return
            content = _parse_event(event.data)
            self._note_end(content)
            yield from _deltas_of(content)
        raise UpstreamError("The response ended prematurely.")

    def _note_end(self, content: Mapping[str, Any]) -> None:
        """Keep the finish reason, the usage and the timings of an event, each in the last event that has it."""
        reasons = (choice.get("finish_reason") for choice in _objects(content.get("choices")))
        reason = next((reason for reason in reasons if isinstance(reason, str)), self.end.finish_reason)
        usage, timings = content.get("usage"), content.get("timings")
        self.end = ChatEnd(
            finish_reason=reason,
            usage=usage if isinstance(usage, dict) else self.end.usage,
            timings=timings if isinstance(timings, dict) else self.end.timings,
        )


def error_message(body: bytes) -> str | None:
    """Return the message of an error body in OpenAI's form, or None for other bodies."""
    try:
        error = json.loads(body)["error"]
        message = error["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return message if isinstance(message, str) else None


def _parse_event(data: bytes) -> Mapping[str, Any]:
    """Return the object of an event, empty for anything else. Raises ``UpstreamError`` for an error."""
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return {}  # truncated by the engine's death, which the next event or the end of the stream reports
    if not isinstance(event, dict):
        return {}
    if "error" in event:
        sentence = error_message(data) or "The model failed during its response."
        raise UpstreamError(sentence.splitlines()[0])  # the engine's last log lines may follow
    return event


def _deltas_of(content: Mapping[str, Any]) -> Iterator[ChatDelta]:
    for choice in _objects(content.get("choices")):
        delta = choice.get("delta")
        for key, is_reasoning in (("reasoning_content", True), ("content", False)):
            text = delta.get(key) if isinstance(delta, dict) else None
            if isinstance(text, str) and text:
                yield ChatDelta(text, is_reasoning)


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
