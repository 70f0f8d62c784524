"""The seam of a dialect: how a client's request becomes the engine's, and the engine's response the client's. Pure.

Most dialects are the engine's own: their bodies are forwarded and relayed as bytes, and a dialect is only its
``ErrorDialect``. A dialect that the engine does not speak adds an ``Exchange`` for each of its requests;
``forward_exchange`` runs it. Neither does any I/O: heartbeats, flow control, retries, errors and disconnects are those
of every forwarded request.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from gglib.http.headers import EVENT_STREAM_HEADERS, Headers
from gglib.http.sse import HEARTBEAT, event_terminator
from gglib.proxy.errors import JSON, EngineError, ErrorResponse


class ErrorDialect(ABC):
    """The error encoding of one dialect. ``request_id`` is the value of ``x-request-id``."""

    request_id_header: bytes = b""
    """The name of another header with the request id, on all responses of the dialect; empty: only ``x-request-id``."""

    @abstractmethod
    def body(self, error_response: ErrorResponse, request_id: str) -> bytes:
        """Return the body of an error response."""

    @abstractmethod
    def stream_end(self, error_response: ErrorResponse, request_id: str, tail: bytes) -> bytes:
        """Return what ends a stream that fails; ``tail`` are the last bytes that were sent of it."""


class EventErrorDialect(ErrorDialect):
    """A dialect whose streams are server-sent events."""

    @abstractmethod
    def events(self, error_response: ErrorResponse, request_id: str, tail: bytes) -> bytes:
        """Return the error events that end an event stream."""

    def stream_end(self, error_response: ErrorResponse, request_id: str, tail: bytes) -> bytes:
        """Return the error events, after the end of an event that broke off."""
        return event_terminator(tail) + self.events(error_response, request_id, tail)


class Translated(NamedTuple):
    """What to send for a part of the engine's stream."""

    output: bytes
    """May be empty: the translation of a partial event follows with its rest."""
    error: EngineError | None = None
    """The error that ends the stream after ``output``; nothing more is fed then."""


class TranslatedComment(Translated):
    """A heartbeat for a comment of the engine: nothing of the response has begun with it."""

    __slots__ = ()


class StreamTranslator(ABC):
    """Translates one event stream of the engine, received in parts that are split anywhere."""

    @abstractmethod
    def feed(self, part: bytes) -> Translated:
        """Return the translation of a part, which is not empty."""

    def translate_common(self, part: bytes) -> bytes:
        """Return the translation of a part of the most frequent form, b"" for all others: those have to be fed.

        Only an optimization: ``feed`` returns the same, later. A part is tried here only between complete events.
        """
        del part
        return b""

    @abstractmethod
    def finish(self) -> Translated:
        """Return the end of the client's stream, after the engine's has ended.

        With an error if the engine's stream has no end in its own terms: the response is truncated.
        """


class Exchange(ABC):
    """One request and its response in a dialect that the engine does not speak.

    ``path`` and ``body`` are the request in the engine's dialect. ``body`` is a JSON object with ``model`` (or none,
    for the default), ``stream`` and ``num_ctx``, and passes the same checks as a body that a client sends to ``path``.
    """

    stream_headers: Headers = EVENT_STREAM_HEADERS
    """The headers of a stream. Its status is 200."""
    keep_alive_s: float | None = None
    """How long the model stays in memory after the request (``ModelLaunchSpec.keep_alive_s``); None: the request does
    not say."""

    def __init__(self, path: str, body: bytes) -> None:
        self.path = path
        self.body = body

    def heartbeat(self) -> bytes:
        """Return a part of the stream that clients ignore, sent while the request waits."""
        return HEARTBEAT

    @abstractmethod
    def open_stream(self) -> StreamTranslator:
        """Return a translator for one stream of the engine. A request that is sent again gets another one."""

    @abstractmethod
    def translate_body(self, body: bytes) -> bytes:
        """Return the response for the engine's complete JSON body with status 200.

        Large bodies are translated in a thread. Raises ``EngineError`` for a body that reports a failure, and
        ``ValueError`` for one that is not the engine's.
        """

    def body_headers(self) -> Headers:
        """Return the headers of a response that is not a stream, without ``Content-Length``."""
        return [JSON]


class BatchedExchange(Exchange):
    """An exchange without a stream that sends several requests to the engine, one after the other, under one lease."""

    @abstractmethod
    def begin(self) -> None:
        """Forget all batches: the request is sent, perhaps again."""

    @abstractmethod
    def batches(self, body: bytes) -> Iterator[bytes]:
        """Yield the bodies of the requests. ``body`` is ``self.body`` with the edits of ``forward``."""

    @abstractmethod
    def add_batch(self, body: bytes) -> None:
        """Add the engine's complete JSON body for one request.

        Raises ``GglibError`` for a request that cannot be served, ``ValueError`` for a body that is not the engine's.
        """

    @abstractmethod
    def finish(self) -> bytes:
        """Return the response after the last batch."""

    def open_stream(self) -> StreamTranslator:
        """Raise ``ValueError``: the engine is not asked for a stream."""
        raise ValueError("the engine sent a stream")

    def translate_body(self, body: bytes) -> bytes:
        """Return the response for a whole response of the engine, to a request that was sent again in one piece."""
        self.begin()
        self.add_batch(body)
        return self.finish()
