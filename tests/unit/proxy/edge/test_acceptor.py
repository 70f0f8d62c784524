"""Clients are refused with descriptors from a reserve, which an acceptor that was stopped does not fill again."""

import asyncio
import socket

import pytest

from gglib.proxy.edge import acceptor
from gglib.proxy.edge.acceptor import Acceptor


async def test_stopped_acceptor_opens_no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal shortly before the stop leaves no timer behind that would open the reserve again."""
    monkeypatch.setattr(acceptor, "_highest", lambda: 0)
    monkeypatch.setattr(acceptor, "_REFUSED_FOR_S", 0.0)
    refused = asyncio.Event()

    def refusal() -> bytes:
        refused.set()
        return b"503"

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    accepting = Acceptor(listener, on_accept=lambda _: None, make_room=lambda: False, refusal=refusal)
    accepting.start(1)
    with socket.create_connection(listener.getsockname()):
        await refused.wait()
        accepting.stop()
    for _ in range(5):
        await asyncio.sleep(0)
    assert accepting._reserve == []
