"""TLS between a socket and a connection: what a hostile client cannot cause."""

import asyncio
import ssl

from gglib.http.errors import HttpError
from gglib.http.server.tls_transport import (
    MAX_UNREAD_CONTROL_BYTES,
    HandshakeQueue,
    TlsPhase,
    TlsTransport,
)


class Raw(asyncio.Transport):
    """The transport of a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_aborted = False
        self.buffered_bytes = 0

    def write(self, data: object) -> None:
        """Record it."""
        assert isinstance(data, bytes)
        self.sent += data

    def abort(self) -> None:
        """Record it."""
        self.is_aborted = True

    def is_closing(self) -> bool:
        """Whether it was aborted."""
        return self.is_aborted

    def get_write_buffer_size(self) -> int:
        """Return what the test says."""
        return self.buffered_bytes


class Connection:
    """Records how it ended."""

    def __init__(self) -> None:
        self.has_ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin."""

    def data_received(self, data: bytes) -> None:
        """Take nothing."""

    def eof_received(self) -> bool:
        """End."""
        self.has_ended = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take nothing."""

    def pause_writing(self) -> None:
        """Take nothing."""

    def resume_writing(self) -> None:
        """Take nothing."""

    def refuse(self, error: HttpError) -> None:
        """Take nothing."""


class Session:
    """A session in the state that a test needs."""

    may_have_data = False

    def __init__(self, *, output: bytes = b"") -> None:
        self.output = output

    def receive(self, data: bytes) -> None:
        """Take nothing."""

    def read(self) -> bytes | None:
        """Find no data."""
        return None

    def take_output(self) -> bytes:
        """Return the answer to a key update."""
        return self.output

    def encrypt(self, data: object) -> bytes:
        """Fail, as OpenSSL does while half a handshake of the client is there."""
        del data
        raise ssl.SSLWantReadError


async def opened(session: Session) -> tuple[TlsTransport, Raw, Connection]:
    """Return a transport after its handshake."""
    connection, raw = Connection(), Raw()
    transport = TlsTransport(connection, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), HandshakeQueue())
    transport.connection_made(raw)
    transport._session = session  # type: ignore[assignment]
    transport._phase = TlsPhase.OPEN
    return transport, raw, connection


async def test_a_write_into_half_a_renegotiation_ends_the_connection_alone() -> None:
    """It raises nothing: the check of all deadlines writes, too."""
    transport, raw, connection = await opened(Session())
    transport.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert raw.is_aborted
    assert connection.has_ended
    assert transport.is_closing()
    transport.write(b"more")
    assert raw.sent == b""


async def test_answers_to_key_updates_that_are_not_read_are_bounded() -> None:
    """A client that sends them without end and reads nothing is dropped."""
    transport, raw, connection = await opened(Session(output=b"answer"))
    transport.data_received(b"key update")
    assert raw.sent == b"answer"
    raw.buffered_bytes = MAX_UNREAD_CONTROL_BYTES + 1
    transport.data_received(b"key update")
    assert raw.sent == b"answer"
    assert raw.is_aborted
    assert connection.has_ended
