"""A conversation with a model over the OpenAI chat dialect: what is sent, and what an answer's stream means.

Knows no sockets: the lines of a stream are passed in by whoever reads them.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gglib.core.errors import UpstreamError
from gglib.http.sse import read_events

CHAT_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """A piece of an answer, or of what a reasoning model thinks before it answers."""

    text: str
    is_reasoning: bool = False


@dataclass(slots=True)
class Conversation:
    """What was said so far; each answer is asked for with all of it."""

    model: str
    messages: list[dict[str, str]] = field(default_factory=list)

    def add_prompt(self, prompt: str, *, num_ctx: int | None = None) -> dict[str, object]:
        """Return the body of the request for an answer to ``prompt``."""
        self.messages.append({"role": "user", "content": prompt})
        body: dict[str, object] = {"model": self.model, "messages": list(self.messages), "stream": True}
        if num_ctx is not None:
            body["num_ctx"] = num_ctx
        return body

    def add_answer(self, text: str) -> None:
        """Remember the answer."""
        self.messages.append({"role": "assistant", "content": text})

    def drop_prompt(self) -> None:
        """Forget the last prompt: it was not answered."""
        self.messages.pop()


def read_deltas(lines: Iterable[bytes]) -> Iterator[ChatDelta]:
    """Yield a streamed answer as it arrives, from the lines of its event stream.

    Raises ``UpstreamError`` when the stream carries an error, or ends before the answer did.
    """
    for event in read_events(lines):
        if event.data == b"[DONE]":
            return
        yield from _deltas_of_event(event.data)
    raise UpstreamError("The response ended prematurely.")


def error_message(body: bytes) -> str | None:
    """Return the sentence of an error body in OpenAI's shape, or None when it has another."""
    try:
        error = json.loads(body)["error"]
        message = error["message"]
    except (ValueError, KeyError, TypeError):
        return None
    return message if isinstance(message, str) else None


def _deltas_of_event(data: bytes) -> Iterator[ChatDelta]:
    try:
        event = json.loads(data)
    except ValueError:
        return  # an event that was cut when the engine died: the next one, or the end of the stream, says so
    if "error" in event:
        sentence = error_message(data) or "The model failed during its response."
        raise UpstreamError(sentence.splitlines()[0])  # the engine's last lines may follow
    for choice in event.get("choices") or ():
        delta = choice.get("delta") or {}
        for key, is_reasoning in (("reasoning_content", True), ("content", False)):
            if text := delta.get(key):
                yield ChatDelta(text, is_reasoning)
