"""The common part of stream translators: splits the engine's stream into events and detects its errors. Pure."""

from abc import abstractmethod

import msgspec

from gglib.http.sse import SseEvent, SseReader
from gglib.proxy.dialects.base import StreamTranslator, Translated
from gglib.proxy.dialects.engine_errors import read_parsed_event
from gglib.proxy.errors import EngineError

_DONE = b"[DONE]"


class EventTranslator(StreamTranslator):
    """Translates a stream event by event. ``[DONE]`` is skipped; comments of the engine become heartbeats."""

    def __init__(self) -> None:
        self._reader = SseReader()

    def feed(self, part: bytes) -> Translated:
        """Return the translation of the events that end in ``part``."""
        outputs: list[bytes] = []
        for event in self._reader.receive(part):
            if event.data == _DONE:
                continue
            content = _decoded(event)
            error = read_parsed_event(event.name, content)
            if error is not None:
                return Translated(b"".join(outputs), error)
            if isinstance(content, dict):
                outputs.append(self.translate(event.name, content))
        if not outputs and part.startswith(b":"):
            outputs.append(self.heartbeat())
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
        """Return the translation of one event; ``name`` is ``message`` if it has none."""

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
