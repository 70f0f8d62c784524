"""Translates the engine's event streams into Ollama's lines: chat chunks, and llama-server's own events. Pure."""

from abc import abstractmethod
from typing import Any

from gglib.proxy.dialects.event_translator import EventTranslator
from gglib.proxy.dialects.ollama.lines import ResponseLines, done_reason
from gglib.proxy.dialects.ollama.tool_calls import ToolCallCollector

_NOTHING: dict[str, Any] = {}
_TEXT_START = b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"'
_TEXT_OFFSET = len(_TEXT_START)
_TEXT_END = b'"}}],"created":'
_TIME_STEP_S = 0.001
"""The precision of the times in lines."""
_EVENT_END_BYTES = 2
"""The empty line after an event."""


class LineStream(EventTranslator):
    """A stream of lines. The last one follows the end of the engine's stream, with the counts."""

    def __init__(self, lines: ResponseLines) -> None:
        super().__init__()
        self._lines = lines
        self._reason: str | None = None
        self._timings: dict[str, Any] = _NOTHING
        self._usage: dict[str, Any] = _NOTHING

    @property
    def is_complete(self) -> bool:
        """Whether the engine has sent the event with the finish reason."""
        return self._reason is not None

    def end(self) -> bytes:
        """Return the line with the counts."""
        return self._lines.finished(self._reason or "stop", self._timings, self._usage)

    def heartbeat(self) -> bytes:
        """Return a complete line with empty content: NDJSON has no comments."""
        return self._lines.piece("")

    @abstractmethod
    def translate(self, name: str, content: dict[str, Any]) -> bytes:
        """Return the translation of one event."""


class ChatStream(LineStream):
    """Reads the chunks of ``/v1/chat/completions``."""

    def __init__(self, lines: ResponseLines) -> None:
        super().__init__(lines)
        self._calls = ToolCallCollector()
        self._now = lines.clock.now
        self._piece_left = b""
        """What comes before the text of a line, with its time."""
        self._piece_until = 0.0
        """When it is made anew, in Unix seconds."""
        self._piece_right = lines.piece_right

    def translate_common(self, part: bytes) -> bytes:
        """Return the line for a part that is one chunk with text in the form of llama-server, without parsing it.

        The text is copied as JSON. One with a quote in it is left to ``feed``. What comes before it
        changes only with the time.
        """
        if not self._is_between_events or not part.startswith(_TEXT_START):
            return b""
        end = part.find(b'"', _TEXT_OFFSET)
        if (
            end == _TEXT_OFFSET
            or not part.startswith(_TEXT_END, end)
            or part.find(b"\n", end) != len(part) - _EVENT_END_BYTES
        ):
            return b""
        now = self._now()
        if now >= self._piece_until:
            self._piece_left, self._piece_until = self._lines.piece_left(now), now + _TIME_STEP_S
        return self._piece_left + part[_TEXT_OFFSET:end] + self._piece_right

    def translate(self, name: str, content: dict[str, Any]) -> bytes:
        """Return the lines for one chunk: text, thoughts, and tool calls that are complete."""
        del name
        self._timings = content.get("timings") or self._timings
        self._usage = content.get("usage") or self._usage
        choices = content.get("choices")
        if not choices:
            return b""
        choice = choices[0]
        delta = choice.get("delta") or _NOTHING
        pieces = delta.get("tool_calls")
        if pieces:
            self._calls.add(pieces)
        reason = choice.get("finish_reason")
        if reason is not None:
            self._reason = done_reason(reason)
            if self._reason == "length":
                self._calls.drop_truncated()
        text, thoughts = delta.get("content") or "", delta.get("reasoning_content") or ""
        calls = self._calls.take_complete(is_final=reason is not None) if pieces or reason else b""
        if not (text or thoughts or calls):
            return b""
        logprobs = choice.get("logprobs")
        return self._lines.piece(
            text, thinking=thoughts, tool_calls=calls, logprobs=logprobs and logprobs.get("content")
        )


class CompletionStream(LineStream):
    """Reads the events of ``/completion`` and ``/infill``."""

    def translate(self, name: str, content: dict[str, Any]) -> bytes:
        """Return the line for one event; none for the last one, which has no text of its own."""
        del name
        if content.get("stop"):
            self._reason = done_reason(content.get("stop_type"))
            self._timings = content.get("timings") or _NOTHING
        text = content.get("content") or ""
        return self._lines.piece(text, logprobs=content.get("completion_probabilities")) if text else b""
