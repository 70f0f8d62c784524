"""TLS and HTTP proxy tunnels, with a server that uses a test certificate."""

import asyncio
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from tests.integration.hf.support import Pull, content
from tests.support.certificates import write_certificate

from gglib.core.errors import HubError, HubUnreachableError
from gglib.core.hub.repository import RemoteFile
from gglib.http.client.tls import tls_context

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl to make a certificate with"
)
DATA = content(300_000)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Create a certificate for localhost, and trust it."""
    path = tmp_path / "certificate.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(write_certificate(path)))
    tls_context.cache_clear()
    yield path
    tls_context.cache_clear()


class Server:
    """Serves one connection at a time: as a proxy for a tunnel, then a file over TLS."""

    def __init__(self, certificate: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.tunnel_status = 200
        self.heads: list[str] = []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)

    def run(self) -> None:
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            with plain:
                try:
                    self.serve(plain)
                except OSError as error:
                    self.heads.append(f"failed: {type(error).__name__}")

    def serve(self, plain: socket.socket) -> None:
        if plain.recv(1, socket.MSG_PEEK) == b"C":
            self.heads.append(self.read_head(plain))
            plain.sendall(b"HTTP/1.1 %d What\r\n\r\n" % self.tunnel_status)
            if self.tunnel_status != 200:
                return
        with self.context.wrap_socket(plain, server_side=True) as secure:
            self.heads.append(self.read_head(secure))
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(DATA) + DATA)

    def read_head(self, connection: socket.socket) -> str:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        return head.decode()


@pytest.fixture
def server(certificate: Path) -> Iterator[Server]:
    """Yield a running server."""
    with Server(certificate) as one:
        yield one


async def fetch(pull: Pull, url: str) -> None:
    """Fetch the server's file."""
    await pull.client().fetch(
        RemoteFile(name="m.gguf", url=url, size_bytes=len(DATA)), pull.target, pull.on_progress
    )
    assert pull.target.read_bytes() == DATA


async def test_a_file_is_downloaded_over_tls_from_a_trusted_server(pull: Pull, server: Server) -> None:
    """The client verifies it with the certificates of the system, or those of SSL_CERT_FILE."""
    await fetch(pull, f"https://localhost:{server.port}/m.gguf")
    assert f"Host: localhost:{server.port}" in server.heads[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_that_is_not_trusted_is_said_at_once(
    pull: Pull, server: Server, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """A certificate for another name, or from an unknown authority, fails without a retry, before any request."""
    if host == "localhost":
        monkeypatch.delenv("SSL_CERT_FILE")
        tls_context.cache_clear()
    with pytest.raises(HubError, match="certificate that is not trusted"):
        await fetch(pull, f"https://{host}:{server.port}/m.gguf")
    assert not [head for head in server.heads if "HTTP" in head]


async def test_https_goes_through_a_proxys_tunnel(
    pull: Pull, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy receives only its own password and the host name; everything else is encrypted."""
    monkeypatch.setenv("https_proxy", f"http://me:hush@127.0.0.1:{server.port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    await fetch(pull, "https://localhost:9/m.gguf")
    tunnel, request = server.heads
    assert tunnel.startswith("CONNECT localhost:9 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic bWU6aHVzaA==" in tunnel
    assert request.startswith("GET /m.gguf HTTP/1.1\r\n")
    assert "Proxy-Authorization" not in request


async def test_a_proxy_that_refuses_is_said(
    pull: Pull, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the proxy's status."""
    server.tunnel_status = 407
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(HubUnreachableError, match="the proxy answered 407"):
        await fetch(pull, "https://localhost:9/m.gguf")


async def test_a_handshake_that_hangs_is_cancelled_at_once(pull: Pull) -> None:
    """The cancel shuts down the socket."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}/m.gguf"
        task = asyncio.create_task(fetch(pull, url))
        connection, _ = await asyncio.to_thread(silent.accept)
        with connection:
            await asyncio.to_thread(connection.recv, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(2):
                    await task
    assert not [one for one in threading.enumerate() if one.name.startswith("gglib-")]
