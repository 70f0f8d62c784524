"""The server's side of a TLS session, against OpenSSL's client in memory."""

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.certificates import client_context, needs_openssl, write_certificate

from gglib.http.server.tls_context import server_context
from gglib.http.server.tls_session import MAX_CONTROL_BYTES, READ_BYTES, TlsSession

pytestmark = needs_openssl


class MemoryClient:
    """A TLS client that exchanges bytes with a session in memory."""

    def __init__(self, session: TlsSession, context: ssl.SSLContext) -> None:
        self.session = session
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def handshake(self) -> None:
        """Complete the handshake on both sides."""
        is_complete = False
        while not is_complete:
            with suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            self.send()
            is_complete = self.session.shake_hands()
            self.incoming.write(self.session.take_output())
        self.tls.do_handshake()

    def send(self, data: bytes = b"") -> None:
        """Send data, and what is waiting to be sent."""
        if data:
            self.tls.write(data)
        self.session.receive(self.outgoing.read())

    def receive(self, data: bytes) -> bytes:
        """Return the plaintext of received bytes."""
        self.incoming.write(data)
        received = b""
        while part := self._read():
            received += part
        return received

    def _read(self) -> bytes:
        with suppress(ssl.SSLWantReadError):
            return self.tls.read(2**16)
        return b""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate with its key, and the file that clients trust."""
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    return path, write_certificate(path)


@pytest.fixture
def client(certificate: tuple[Path, Path]) -> MemoryClient:
    """Return a client that has not begun its handshake."""
    own, public = certificate
    return MemoryClient(TlsSession(server_context(own, own)), client_context(public))


def test_a_handshake_and_data_both_ways(client: MemoryClient) -> None:
    """With TLS 1.3, and HTTP/1.1 as the protocol."""
    client.handshake()
    client.send(b"request")
    assert client.session.read() == b"request"
    assert client.session.read() is None
    assert client.receive(client.session.encrypt(b"response")) == b"response"
    assert client.tls.version() == "TLSv1.3"


def test_the_protocol_is_http_1_1(certificate: tuple[Path, Path]) -> None:
    """A client that offers HTTP/2, too, gets HTTP/1.1."""
    own, public = certificate
    context = client_context(public)
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = MemoryClient(TlsSession(server_context(own, own)), context)
    client.handshake()
    assert client.tls.selected_alpn_protocol() == "http/1.1"


def test_large_data_arrives_whole(client: MemoryClient) -> None:
    """It is more than one record, and more than one read returns."""
    client.handshake()
    body = bytes(range(256)) * 4096
    client.send(body)
    received, parts = b"", 0
    while (part := client.session.read()) is not None:
        assert len(part) <= READ_BYTES
        received, parts = received + part, parts + 1
    assert received == body
    assert parts > 1
    assert client.receive(client.session.encrypt(memoryview(body))) == body


def test_bytes_that_come_while_others_wait(client: MemoryClient) -> None:
    """They follow in order."""
    client.handshake()
    body = bytes(range(256)) * 1024
    client.tls.write(body)
    sent = client.outgoing.read()
    client.session.receive(sent[:40_000])
    client.session.receive(sent[40_000:])
    assert client.session.unread_bytes == len(sent)
    received = b""
    while (part := client.session.read()) is not None:
        received += part
    assert received == body


def test_nothing_is_nothing(client: MemoryClient) -> None:
    """Empty data makes no record."""
    client.handshake()
    client.session.take_output()
    assert client.session.encrypt(b"") == b""


def test_bytes_wait_to_be_decrypted(client: MemoryClient) -> None:
    """Their number bounds what a client sends ahead."""
    client.handshake()
    client.send(b"request")
    assert client.session.unread_bytes > len(b"request")
    client.session.read()
    assert client.session.unread_bytes == 0


def test_data_before_the_end_arrives(client: MemoryClient) -> None:
    """The end follows the data that came with it."""
    client.handshake()
    client.tls.write(b"last")
    with suppress(ssl.SSLWantReadError):
        client.tls.unwrap()
    client.send()
    assert client.session.read() == b"last"
    assert client.session.read() == b""
    assert client.session.read() == b""


def test_the_end_does_not_wait_for_the_client(client: MemoryClient) -> None:
    """The client sees an orderly end, not a cut connection."""
    client.handshake()
    data = client.session.encrypt(b"all") + client.session.close()
    assert client.receive(data) == b"all"
    assert client.tls.read(1) == b""


def test_a_broken_record_is_an_error(client: MemoryClient) -> None:
    """The alert for the client is ready to be sent."""
    client.handshake()
    client.session.take_output()
    client.session.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(ssl.SSLError):
        client.session.read()
    assert client.session.take_output()


def test_a_handshake_that_is_none(client: MemoryClient) -> None:
    """Bytes that are no handshake end it."""
    client.session.receive(b"\x16\x03\x01\x00\x05hello")
    with pytest.raises(ssl.SSLError):
        client.session.shake_hands()


def test_more_than_openssl_gets_at_once_is_no_handshake_either(client: MemoryClient) -> None:
    """All of it is judged, part by part."""
    client.session.receive(b"\x16\x03\x01\x00\x05hello" + bytes(40_000))
    with pytest.raises(ssl.SSLError):
        client.session.shake_hands()


def test_tls_1_2_is_the_oldest(certificate: tuple[Path, Path]) -> None:
    """Clients without TLS 1.3 are served; older versions are not offered."""
    own, public = certificate
    context = client_context(public)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = MemoryClient(TlsSession(server_context(own, own)), context)
    client.handshake()
    assert client.tls.version() == "TLSv1.2"
    assert server_context(own, own).minimum_version is ssl.TLSVersion.TLSv1_2


class ControlRecords:
    """An ``SSLObject`` whose client sends key updates and no data."""

    def read(self, size: int) -> bytes:
        """Find nothing."""
        del size
        raise ssl.SSLWantReadError

    def pending(self) -> int:
        """Have nothing."""
        return 0


def test_input_without_data_is_bounded(certificate: tuple[Path, Path]) -> None:
    """Each key update costs the server more than the client; data resets the count."""
    path, trusted = certificate
    session = TlsSession(server_context(path, path))
    client = MemoryClient(session, client_context(trusted))
    client.handshake()
    client.send(b"x" * READ_BYTES)
    while session.read() is not None:
        pass
    session._tls = ControlRecords()  # type: ignore[assignment]
    session.receive(b"k" * (MAX_CONTROL_BYTES - 1024))
    assert session.read() is None
    session.receive(b"k" * 2048)
    with pytest.raises(ssl.SSLError, match="too much input without data"):
        session.read()
