"""Clients are refused with descriptors from a reserve, which a stopped acceptor does not refill."""

import asyncio
import socket

import pytest

from gglib.http.server import acceptor
from gglib.http.server.acceptor import Acceptor
from gglib.http.server.deadlines import DeadlineLimits
from gglib.http.server.http_server import HttpServer


async def test_stopped_acceptor_opens_no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal just before ``stop`` leaves no timer that would reopen the reserve."""
    monkeypatch.setattr(acceptor, "_descriptor_limit", lambda: 0)
    monkeypatch.setattr(acceptor, "_REFUSAL_READ_S", 0.0)
    refused = asyncio.Event()

    def refusal() -> bytes:
        refused.set()
        return b"503"

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    accepting = Acceptor(listener, on_accept=lambda _: None, close_idle=lambda: False, build_refusal=refusal)
    accepting.start(1)
    with socket.create_connection(listener.getsockname()):
        await refused.wait()
        accepting.stop()
    for _ in range(5):
        await asyncio.sleep(0)
    assert accepting._reserve == []


async def test_listener_that_cannot_listen_leaves_no_descriptor_open() -> None:
    """The disconnect watcher is closed as well."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        connected = socket.create_connection(other.getsockname())
        server = HttpServer(
            _no_request,
            limits=DeadlineLimits(head_s=1, body_s=1, body_min_rate=1, write_s=1, idle_s=1),
            max_connections=1,
            max_body_bytes=1,
            max_bodies_bytes=1,
            on_stop=lambda: None,
            on_refusal=lambda *_: None,
        )
        with pytest.raises(OSError, match=r"\[Errno"):
            await server.serve(connected, asyncio.Event(), grace_s=0)
    assert connected.fileno() == -1
    assert server.disconnect_watcher._poll is None or server.disconnect_watcher._poll.closed


async def _no_request(*_: object) -> None:
    raise AssertionError
