"""A conversation in the OpenAI chat dialect: builds request bodies and parses response streams.

Performs no I/O: the lines of a stream are passed in.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gglib.core.errors import UpstreamError
from gglib.http.sse import read_events

CHAT_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """A part of a response, or of a reasoning model's thoughts."""

    text: str
    is_reasoning: bool = False


@dataclass(slots=True)
class Conversation:
    """The messages so far; each request contains all of them."""

    model: str
    messages: list[dict[str, str]] = field(default_factory=list)

    def add_prompt(self, prompt: str, *, num_ctx: int | None = None) -> dict[str, object]:
        """Add a prompt and return the body of its request."""
        self.messages.append({"role": "user", "content": prompt})
        body: dict[str, object] = {"model": self.model, "messages": list(self.messages), "stream": True}
        if num_ctx is not None:
            body["num_ctx"] = num_ctx
        return body

    def add_answer(self, text: str) -> None:
        """Add the model's answer."""
        self.messages.append({"role": "assistant", "content": text})

    def drop_prompt(self) -> None:
        """Remove the last prompt, whose request failed."""
        self.messages.pop()


def read_deltas(lines: Iterable[bytes]) -> Iterator[ChatDelta]:
    """Yield the parts of a streamed response from the lines of its event stream.

    Raises ``UpstreamError`` if the stream contains an error, or ends prematurely.
    """
    for event in read_events(lines):
        if event.data == b"[DONE]":
            return
        yield from _deltas_of_event(event.data)
    raise UpstreamError("The response ended prematurely.")


def error_message(body: bytes) -> str | None:
    """Return the message of an error body in OpenAI's form, or None for other bodies."""
    try:
        error = json.loads(body)["error"]
        message = error["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return message if isinstance(message, str) else None


def _deltas_of_event(data: bytes) -> Iterator[ChatDelta]:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return  # truncated by the engine's death, which the next event or the end of the stream reports
    if not isinstance(event, dict):
        return
    if "error" in event:
        sentence = error_message(data) or "The model failed during its response."
        raise UpstreamError(sentence.splitlines()[0])  # the engine's last log lines may follow
    for choice in _list_or_empty(event.get("choices")):
        delta = choice.get("delta") if isinstance(choice, dict) else None
        for key, is_reasoning in (("reasoning_content", True), ("content", False)):
            text = delta.get(key) if isinstance(delta, dict) else None
            if isinstance(text, str) and text:
                yield ChatDelta(text, is_reasoning)


def _list_or_empty(value: object) -> list[object]:
    return value if isinstance(value, list) else []
