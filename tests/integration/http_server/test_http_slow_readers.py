"""Clients that read slowly, or not at all, at the end of a response and after it."""

import asyncio
import logging
import socket
from dataclasses import replace

import pytest
from tests.integration.proxy.support import (
    MODEL,
    SSE_HEAD,
    Exchange,
    chat_body,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
    standing_still,
)
from tests.support.waiting import until

from gglib.http.server import deadlines
from gglib.http.server.connection import ClientConnection
from gglib.http.server.http_server import HttpServer
from gglib.http.server.request import Request
from gglib.proxy import ProxyOptions
from gglib.proxy.response import Response
from gglib.testing import FakeCatalog

from .cases import HOST, head, post
from .test_http_deadlines import LONG_S, OPTIONS, SHORT_S, SIP_BYTES, SIPS, listen_for_nothing
from .wire import Listener, read_replies

MANY_MODELS = 8_000
"""Their list is larger than the kernel buffers for a client that does not read."""


async def whole_answer(exchange: Exchange) -> None:
    """Respond with what fits into one read."""
    await exchange.write(json_answer({"x": "y" * 30_000}))


async def test_client_that_reads_none_of_many_responses_is_closed() -> None:
    """Pipelined requests do not extend the write deadline, nor hold the model."""
    options = replace(OPTIONS, write_timeout_s=SHORT_S)
    async with (
        engine_running(whole_answer) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
        await connect(proxy.port, receive_buffer_bytes=4096) as client,
    ):
        client.stop_reading()
        client.writer.write(post(body=chat_body()) * 400)
        assert await standing_still(lambda: len(engine.exchanges)) < 400
        await until(lambda: proxy.runtime.holds == 0)
        client.read_again()
        with pytest.raises(EOFError):
            read_replies(await Listener(client).to_the_end(), ())


async def test_half_close_without_reading_is_a_disconnect() -> None:
    """The model is released at once, although the connection is lost only after the client has read, or timed out."""
    written = 0

    async def endless(exchange: Exchange) -> None:
        nonlocal written
        await exchange.write(SSE_HEAD)
        while True:
            await exchange.write(chunked(b"data: " + b"x" * 16_000 + b"\n\n"))
            written += 1

    async with (
        engine_running(endless) as engine,
        proxy_running(runtime_for(engine), options=OPTIONS) as proxy,
        await connect(proxy.port, receive_buffer_bytes=4096) as client,
    ):
        client.stop_reading()
        client.writer.write(post(body=chat_body(stream=True)))
        await standing_still(lambda: written)
        assert proxy.runtime.holds == 1
        client.writer.write_eof()
        await until(lambda: proxy.runtime.holds == 0 and engine.open == 0)


async def test_last_response_may_be_read_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that must close, with unread input, closes only after its response was read."""
    monkeypatch.setattr(deadlines, "LINGERING_S", SHORT_S)
    catalog = FakeCatalog([replace(MODEL, id=number, name=f"m{number}") for number in range(MANY_MODELS)])
    options, loop = replace(OPTIONS, write_timeout_s=SHORT_S * 2), asyncio.get_running_loop()
    async with (
        engine_running(whole_answer) as engine,
        proxy_running(runtime_for(engine), catalog, options=options) as proxy,
    ):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SIP_BYTES)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", proxy.port))
            request = head(b"GET", b"/v1/models", HOST, b"Connection: close")
            await loop.sock_sendall(client, request + b"\r\n")
            data, sips = b"", 0
            while part := await loop.sock_recv(client, SIP_BYTES):
                data, sips = data + part, sips + 1
                if sips < SIPS:
                    assert await listen_for_nothing(SHORT_S / 6)
        (reply,) = read_replies(data, ())
        assert reply.status == 200


async def test_connection_whose_handler_failed_after_the_response_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bug after the response closes the connection: its task is gone."""

    async def handle(request: Request, connection: ClientConnection) -> None:
        response = Response(connection, method=request.method, minor_version=1, request_id=request.id)
        await response.send({})
        raise OSError

    caplog.set_level(logging.CRITICAL, "asyncio")
    defaults = ProxyOptions()
    server = HttpServer(
        handle,
        limits=deadlines.DeadlineLimits(
            head_s=LONG_S, body_s=LONG_S, body_min_rate=1, write_s=LONG_S, idle_s=LONG_S
        ),
        max_connections=defaults.max_connections,
        max_bodies_bytes=defaults.max_bodies_bytes,
        max_body_bytes=defaults.max_body_bytes,
        on_stop=lambda: None,
        on_refusal=lambda *_: None,
    )
    cancel, listener = asyncio.Event(), socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve(listener, cancel, grace_s=0.1))
    async with await connect(listener.getsockname()[1]) as client:
        client.writer.write(head(b"GET", b"/", HOST) * 2)
        assert len(read_replies(await Listener(client).to_the_end(), ())) == 1
    cancel.set()
    await serving
