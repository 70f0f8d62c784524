"""A client that reads very slowly: its buffers are bounded, and other clients are not affected."""

import asyncio
import socket
from pathlib import Path

import pytest
from tests.integration.proxy.support import (
    MODEL,
    SSE_HEAD,
    Exchange,
    ask,
    chat_body,
    chunked,
    engine_running,
    json_answer,
    proxy_running,
    quick,
    runtime_for,
    standing_still,
)

from gglib.core.models import RunningTarget
from gglib.testing import FakeRuntime

from .cases import post

MAX_BUFFERED_BYTES = 256 * 1024
SMALL_BUFFER_BYTES = 4096
BYTES_READ = 10
OTHERS = 50
PART = chunked(b"data: " + b"x" * 4000 + b"\n\n")


class FastUpstream:
    """Writes to one stream as fast as possible, and counts the bytes written."""

    def __init__(self) -> None:
        self._exchange: Exchange | None = None
        self._written_bytes = 0

    @property
    def sent_bytes(self) -> int:
        """The bytes that the kernel accepted."""
        if self._exchange is None:
            return 0
        return self._written_bytes - self._exchange.writer.transport.get_write_buffer_size()

    async def answer(self, exchange: Exchange) -> None:
        """Stream endlessly if a stream is requested, otherwise respond at once."""
        if b'"stream"' not in exchange.body:
            await exchange.write(json_answer({"ok": True}))
            return
        # The upstream's own buffers must not affect the measurement.
        sock = exchange.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER_BYTES)
        exchange.writer.transport.set_write_buffer_limits(0)
        self._exchange = exchange
        await self._write(SSE_HEAD)
        while True:
            await self._write(PART)

    async def _write(self, data: bytes) -> None:
        assert self._exchange is not None
        self._written_bytes += len(data)
        await self._exchange.write(data)


@pytest.mark.parametrize("kind", ["tcp", "unix socket"])
async def test_buffers_for_a_reader_of_single_bytes_are_bounded(kind: str, tmp_path: Path) -> None:
    """Less than 256 KiB of a fast upstream's stream are buffered for a client that reads a byte now and then."""
    upstream, loop = FastUpstream(), asyncio.get_running_loop()
    path = str(tmp_path / "x.sock") if kind == "unix socket" else None
    async with engine_running(upstream.answer, unix_socket=path) as engine:
        runtime = runtime_for(engine)
        if path is not None:
            target = RunningTarget(
                base_url="http://127.0.0.1",
                model_id=1,
                model_name=MODEL.name,
                effective_ctx=1,
                unix_socket=path,
            )
            runtime = FakeRuntime({MODEL.name: target})
        async with proxy_running(runtime) as proxy:
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
                client.setblocking(False)
                await loop.sock_connect(client, ("127.0.0.1", proxy.port))
                await loop.sock_sendall(client, post(body=chat_body(stream=True)))
                for received in range(1, BYTES_READ + 1):
                    assert len(await loop.sock_recv(client, 1)) == 1
                    sent = await standing_still(lambda: upstream.sent_bytes)
                    assert sent - received < MAX_BUFFERED_BYTES
                with quick():
                    for _ in range(OTHERS):
                        assert (await ask(proxy.port, body=chat_body())).status == 200
                assert runtime.holds == 1
