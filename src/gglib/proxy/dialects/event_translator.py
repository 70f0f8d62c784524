"""The common part of stream translators: splits the engine's stream into events and detects its errors. Pure."""

from abc import abstractmethod

import msgspec

from gglib.http.sse import SseEvent, SseReader
from gglib.proxy.dialects.base import StreamTranslator, Translated, TranslatedComment
from gglib.proxy.dialects.engine_errors import read_parsed_event
from gglib.proxy.errors import EngineError

_DONE = b"[DONE]"


class EventTranslator(StreamTranslator):
    """Translates a stream event by event. ``[DONE]`` is skipped; comments of the engine become heartbeats."""

    def __init__(self) -> None:
        self._reader = SseReader()
        self._is_between_events = True
        """Whether the next part begins an event, for ``translate_common``."""

    def feed(self, part: bytes) -> Translated:
        """Return the translation of the events that end in ``part``."""
        outputs: list[bytes] = []
        is_comment = self._is_between_events and part.startswith(b":")
        events = tuple(self._reader.receive(part))
        self._is_between_events = self._reader.is_between_events
        for event in events:
            if event.data == _DONE:
                continue
            content = _decoded(event)
            error = read_parsed_event(event.name, content)
            if error is not None:
                return Translated(b"".join(outputs), error)
            if not isinstance(content, dict):
                continue
            try:
                outputs.append(self.translate(event.name, content))
            except EngineError as failure:
                return Translated(b"".join(outputs), failure)
        if not outputs and is_comment:
            return TranslatedComment(self.heartbeat())
        return Translated(b"".join(outputs))

    def finish(self) -> Translated:
        """Return the end of the stream, or the error of a stream that the engine did not complete."""
        if not self.is_complete:
            return Translated(b"", _truncated())
        return Translated(self.end())

    @property
    @abstractmethod
    def is_complete(self) -> bool:
        """Whether the engine's stream has come to its end, by its own terms."""

    @abstractmethod
    def translate(self, name: str, content: dict[str, object]) -> bytes:
        """Return the translation of one event; ``name`` is ``message`` if it has none.

        Raises ``EngineError`` for an event that ends the stream.
        """

    def end(self) -> bytes:
        """Return what follows the last event."""
        return b""

    def heartbeat(self) -> bytes:
        """Return a part that clients ignore, for a comment of the engine."""
        return b":\n\n"


def _decoded(event: SseEvent) -> object:
    try:
        return msgspec.json.decode(event.data)
    except (msgspec.DecodeError, RecursionError):
        return None


def _truncated() -> EngineError:
    return EngineError(
        "The engine ended its response early.",
        status=502,
        type_="upstream_error",
        shown_code="upstream_error",
        is_retryable=True,
    )
