"""TLS between a socket and a ``ClientConnection``, which sees an ordinary transport.

Theory of operation. ``TlsTransport`` is the protocol of the socket's transport, and the transport of the connection.
The connection exists from the start, so that a handshake counts as a connection, has the deadline of the first request
head, and is closed like an idle connection when there are too many. Handshakes are the only expensive part (a signature
of the server's key each): ``HandshakeQueue`` continues one in an iteration of the event loop, and the rest of the
iteration belongs to other connections.

Closing sends ``close_notify`` and does not wait for the client's. A client that closes its side, by ``close_notify`` or
FIN, counts as disconnected, as without TLS.
"""

import asyncio
import logging
import ssl
from collections import deque
from enum import Enum
from typing import Any, Protocol

from gglib.http.errors import HttpError, PlainHttpError
from gglib.http.server.tls_session import HANDSHAKE_RECORD, TlsSession

MAX_UNREAD_CONTROL_BYTES = 256 * 1024
"""The write buffer in front of an answer to a key update: more than a response ever leaves in it."""
MAX_HANDSHAKE_BYTES = 64 * 1024
"""How much a client may send ahead of its turn in the queue."""

logger = logging.getLogger("gglib.tls")


class TlsPhase(Enum):
    """What the transport does with bytes."""

    HANDSHAKE = "handshake"
    """What the connection writes, an error response, waits for the end of the handshake."""
    OPEN = "open"
    PLAINTEXT = "plaintext"
    """The client does not use TLS: the error response is sent as it is, and input is discarded."""
    CLOSED = "closed"
    """``close_notify`` is sent. Input is discarded."""


class UpperConnection(Protocol):
    """What this transport calls of the connection, besides asyncio's protocol."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin."""
        ...

    def data_received(self, data: bytes) -> None:
        """Handle decrypted bytes."""
        ...

    def eof_received(self) -> bool:
        """Handle the end of the client's side."""
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of the connection."""
        ...

    def pause_writing(self) -> None:
        """Handle a full write buffer."""
        ...

    def resume_writing(self) -> None:
        """Handle a write buffer with room."""
        ...

    def refuse(self, error: HttpError) -> None:
        """Send an error response and close."""
        ...


class HandshakeQueue:
    """Continues one handshake in each iteration of the event loop."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[TlsTransport] = deque()

    def add(self, transport: "TlsTransport") -> None:
        """Queue a transport for ``continue_handshake``."""
        self._waiting.append(transport)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._run_first)

    def _run_first(self) -> None:
        transport = self._waiting[0]
        try:
            transport.continue_handshake()
        finally:
            self._waiting.popleft()
            if self._waiting:
                self._loop.call_soon(self._run_first)


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """The protocol of a socket's transport, and the transport of a ``ClientConnection``."""

    def __init__(
        self, connection: UpperConnection, context: ssl.SSLContext, handshakes: HandshakeQueue
    ) -> None:
        super().__init__()
        self._connection = connection
        self._context = context
        self._session: TlsSession
        """From the first byte on: it takes memory, which connections without a byte shall not have."""
        self._handshakes = handshakes
        self._loop = asyncio.get_running_loop()
        self._phase = TlsPhase.HANDSHAKE
        self._raw: asyncio.Transport
        """The socket's transport, from ``connection_made`` on."""
        self._has_begun = False
        """Whether bytes were received."""
        self._is_queued = False
        self._is_reading_paused = False
        self._held = b""
        """What the connection wrote during the handshake."""
        self._ends_after_held = False

    # -- what the event loop calls --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin the connection; the client begins the handshake."""
        self._raw = transport
        self._connection.connection_made(self)

    def data_received(self, data: bytes) -> None:
        """Decrypt, or continue the handshake."""
        if self._phase is TlsPhase.OPEN:
            self._session.receive(data)
            self._deliver()
        elif self._phase is TlsPhase.HANDSHAKE:
            if not self._has_begun and data[0] != HANDSHAKE_RECORD:
                self._refuse_plaintext(data)
                return
            if not self._has_begun:
                self._has_begun = True
                self._session = TlsSession(self._context)
            self._session.receive(data)
            self._queue_handshake()

    def eof_received(self) -> bool:
        """Treat a half-closed connection as a disconnect; without ``close_notify`` too."""
        self._connection.eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection."""
        if self._phase is TlsPhase.HANDSHAKE and self._has_begun:
            logger.debug("%s left during the TLS handshake", self._peer)
        self._phase = TlsPhase.CLOSED
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pause the response: the client reads too slowly."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Resume the response."""
        self._connection.resume_writing()

    # -- the transport --------------------------------------------------------------------------------------

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Encrypt and write."""
        if self._phase is TlsPhase.OPEN:
            try:
                encrypted = self._session.encrypt(data)
            except (
                ssl.SSLError
            ) as error:  # the client's last record is half a handshake, as for a renegotiation
                self._break_off(_reason(error))
                return
            self._raw.write(encrypted)
        elif self._phase is TlsPhase.HANDSHAKE:
            self._held += data
        elif self._phase is TlsPhase.PLAINTEXT:
            self._raw.write(data)

    def can_write_eof(self) -> bool:
        """Whether only the sending side can be closed: ``close_notify``, then FIN."""
        return True

    def write_eof(self) -> None:
        """Close the sending side after what is written; input is discarded."""
        if self._phase is TlsPhase.HANDSHAKE:
            self._ends_after_held = True
            return
        self._end_session()
        self._raw.write_eof()

    def close(self) -> None:
        """Close after what is written; during the handshake at once."""
        self._end_session()
        self._raw.close()

    def abort(self) -> None:
        """Close at once."""
        self._raw.abort()

    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._phase is TlsPhase.CLOSED or self._raw.is_closing()

    def pause_reading(self) -> None:
        """Deliver no more data."""
        self._is_reading_paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Deliver data again, what was received before the pause first."""
        self._is_reading_paused = False
        self._loop.call_soon(self._deliver)
        self._raw.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's signature
        """Return what the socket's transport knows."""
        return self._raw.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the limits of the only write buffer."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return the encrypted bytes in the write buffer."""
        return self._raw.get_write_buffer_size()

    # -- the session ----------------------------------------------------------------------------------------

    def continue_handshake(self) -> None:
        """Continue the handshake with what was received. At its end, deliver what followed it."""
        self._is_queued = False
        if self._phase is not TlsPhase.HANDSHAKE or self._raw.is_closing():
            return
        try:
            is_complete = self._session.shake_hands()
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._send(self._session.take_output())
        self._raw.resume_reading()
        if is_complete:
            self._phase = TlsPhase.OPEN
            self._send_held()
            self._deliver()

    def _queue_handshake(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            self._handshakes.add(self)
        if self._session.unread_bytes > MAX_HANDSHAKE_BYTES:
            self._raw.pause_reading()

    def _send_held(self) -> None:
        if self._held:
            self.write(self._held)
            self._held = b""
        if self._ends_after_held:
            self.write_eof()

    def _deliver(self) -> None:
        """Pass decrypted data to the connection until it pauses reading."""
        if self._phase is not TlsPhase.OPEN:
            return
        try:
            while not self._is_reading_paused and not self.is_closing():
                data = self._session.read()
                if data is None:
                    break
                if not data:
                    self._connection.eof_received()
                    self.close()
                    return
                self._connection.data_received(data)
                if not self._session.may_have_data:
                    break
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._send_control()

    def _send_control(self) -> None:
        """Send the answers to key updates of the client, unless it reads none of them."""
        answers = self._session.take_output()
        if answers and self._raw.get_write_buffer_size() > MAX_UNREAD_CONTROL_BYTES:
            self._break_off("the client does not read the answers to its key updates")
        else:
            self._send(answers)

    def _break_off(self, reason: str) -> None:
        """Close at once: nothing can be sent in this session any more."""
        logger.debug("TLS with %s is broken off: %s", self._peer, reason)
        self._phase = TlsPhase.CLOSED
        self._connection.eof_received()
        self._raw.abort()

    def _refuse_plaintext(self, data: bytes) -> None:
        """Send an error to a client of plain HTTP; close the connection of another protocol."""
        self._phase = TlsPhase.PLAINTEXT
        if self._ends_after_held:
            self._send_held()
        elif data[:1].isalpha():
            self._connection.refuse(PlainHttpError())
        else:
            logger.debug("%s does not use TLS", self._peer)
            self._raw.abort()

    def _fail(self, error: ssl.SSLError) -> None:
        """Send the alert that OpenSSL has prepared, and close."""
        what = "the TLS handshake" if self._phase is TlsPhase.HANDSHAKE else "TLS"
        logger.debug("%s with %s failed: %s", what, self._peer, _reason(error))
        self._send(self._session.take_output())
        self._phase = TlsPhase.CLOSED
        self._connection.eof_received()
        self._raw.close()

    def _send(self, data: bytes) -> None:
        if data and not self._raw.is_closing():
            self._raw.write(data)

    def _end_session(self) -> None:
        """Send ``close_notify``, if there is a session."""
        if self._phase is TlsPhase.OPEN:
            self._send(self._session.close())
        self._phase = TlsPhase.CLOSED

    @property
    def _peer(self) -> str:
        address = self._raw.get_extra_info("peername")
        return str(address[0]) if isinstance(address, tuple) else "a client"


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's word for an error, which those that are raised here do not have."""
    return getattr(error, "reason", None) or str(error)
