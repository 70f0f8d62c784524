"""HTTPS on real sockets: handshakes that fail, stall and flood, plain HTTP, disconnects, and another certificate."""

import asyncio
import contextlib
import hashlib
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.proxy.support import (
    CHAT,
    DEADLINE_S,
    MODEL,
    SSE_HEAD,
    Client,
    Exchange,
    Proxy,
    ask,
    chat_body,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)
from tests.support.certificates import Authority, client_context, needs_openssl
from tests.support.waiting import until

from gglib.http.server.tls_context import server_context
from gglib.proxy import LiveOptions, ProxyOptions
from gglib.testing import FakeCatalog, FakeRuntime

from .cases import post
from .test_http_deadlines import LONG_S, OPTIONS, SHORT_S, SIP_BYTES, SIPS, listen_for_nothing
from .wire import Listener, read_replies

pytestmark = needs_openssl

CLIENT_HELLO_START = bytes.fromhex("1603010200010001fc0303")
"""The beginning of a handshake that never continues."""
MAX_ON_THE_WAY_BYTES = 4 * 2**20
"""Buffers of three sockets and of the proxy: an engine that is not slowed down sends hundreds of megabytes."""
PLAIN_REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhello"


@dataclass(frozen=True, slots=True)
class Certificates:
    """The contexts of a server, and of its clients."""

    authority: Authority
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a certificate for localhost from an authority that clients trust."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    own = authority.issue("own")
    server = server_context(own.certificate, own.key)
    return Certificates(authority, server, client_context(authority.certificate))


def context_of(
    certificates: Certificates, name: str, *, names: str = "DNS:localhost", ends: timedelta = timedelta(1)
) -> ssl.SSLContext:
    """Return the context of another certificate of the same authority."""
    begins = min(ends, timedelta()) - timedelta(days=1)
    issued = certificates.authority.issue(name, names=names, begins=begins, ends=ends)
    return server_context(issued.certificate, issued.key)


async def connect_tls(port: int, context: ssl.SSLContext, *, name: str = "localhost") -> Client:
    """Open a connection with TLS."""
    return Client(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name))


@contextlib.asynccontextmanager
async def serving(certificates: Certificates, **changes: object) -> AsyncIterator[Proxy]:
    """Run a proxy with HTTPS whose engine echoes a digest of the body."""

    async def echo(exchange: Exchange) -> None:
        await exchange.write(json_answer({"seen": hashlib.sha256(exchange.body).hexdigest()}))

    options = replace(OPTIONS, tls=certificates.server, **changes)  # type: ignore[arg-type]
    async with (
        engine_running(echo, limit=2**24) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
    ):
        yield proxy


async def check_served(port: int, certificates: Certificates) -> None:
    """Check that a client that trusts the authority is served."""
    async with await connect_tls(port, certificates.client) as client:
        await client.send("GET", "/health")
        assert (await client.read_reply()).status == 200


async def test_requests_on_one_connection(certificates: Certificates) -> None:
    """The connection stays open between them, and a large body arrives whole."""
    large = chat_body(user="x" * 3_000_000)
    async with (
        serving(certificates) as proxy,
        await connect_tls(proxy.port, certificates.client) as client,
    ):
        for body in (chat_body(), large, chat_body(user="b")):
            await client.send(body=body, is_last=False)
            reply = await client.read_reply()
            assert reply.status == 200
            assert reply.json()["seen"] == hashlib.sha256(body).hexdigest()


async def test_an_unknown_path_names_an_https_url(certificates: Certificates) -> None:
    """So that it can be copied."""
    async with (
        serving(certificates) as proxy,
        await connect_tls(proxy.port, certificates.client) as client,
    ):
        await client.send("GET", "/nothing", headers=(("Host", "127.0.0.1:8080"),))
        assert "https://127.0.0.1:8080/v1" in (await client.read_reply()).error["message"]


async def test_a_client_hello_in_single_bytes(certificates: Certificates) -> None:
    """A handshake may arrive in any parts, and data may follow its last byte in the same packet."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = certificates.client.wrap_bio(incoming, outgoing, server_hostname="localhost")
    async with serving(certificates) as proxy, await connect(proxy.port) as client:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    client.writer.write(bytes((byte,)))
                    await asyncio.sleep(0)
                incoming.write(await client.reader.read(2**16))
        tls.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        client.writer.write(outgoing.read())
        incoming.write(await client.reader.read())
        assert tls.read(2**16).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("fault", ["another authority", "expired", "another name"])
async def test_a_client_refuses_the_certificate(
    certificates: Certificates, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """The client sees why, the server goes on, and its log has a line for those who look."""
    caplog.set_level(logging.DEBUG, "gglib.tls")
    shown, trusted, match = certificates, certificates.client, "self-signed certificate"
    if fault == "another authority":
        trusted = client_context(Authority(tmp_path / "other").certificate)
    elif fault == "expired":
        ended = context_of(certificates, "expired", ends=timedelta(hours=-1))
        shown, match = replace(certificates, server=ended), "certificate has expired"
    else:
        shown = replace(certificates, server=context_of(certificates, "other", names="DNS:box.lan"))
        match = "not valid for 'localhost'"
    async with serving(shown) as proxy:
        with pytest.raises(ssl.SSLCertVerificationError, match=match):
            await connect_tls(proxy.port, trusted)
        await until(lambda: any("127.0.0.1" in record.getMessage() for record in caplog.records))
        if fault == "another authority":
            await check_served(proxy.port, certificates)


async def test_plain_http_gets_a_sentence(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    """In plain HTTP, as the client understands nothing else; the request is in the log."""
    caplog.set_level(logging.INFO, "gglib.access")
    async with serving(certificates) as proxy, await connect(proxy.port) as client:
        client.writer.write(PLAIN_REQUEST)
        (reply,) = read_replies(await Listener(client).to_the_end(), (b"POST",))
        await check_served(proxy.port, certificates)
    assert (reply.status, reply.error["code"], reply.says_close) == (400, "https_required", True)
    assert "https://" in reply.error["message"]
    assert any("This port serves HTTPS" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("data", [b"\x00\x00\x00\x01", b"\x16\x03\x01\x00\x05hello", b"\x16" * 200_000])
async def test_other_protocols_are_closed(certificates: Certificates, data: bytes) -> None:
    """What is no handshake ends the connection, at most with an alert."""
    async with serving(certificates) as proxy, await connect(proxy.port) as client:
        with contextlib.suppress(ConnectionError):
            client.writer.write(data)
            await client.writer.drain()
        received = await Listener(client).to_the_end()
        assert received in {b"", received[:7]}
        await check_served(proxy.port, certificates)


@pytest.mark.parametrize("begun", [b"", CLIENT_HELLO_START])
async def test_a_handshake_that_stalls_is_closed(certificates: Certificates, begun: bytes) -> None:
    """It has the time of a request head; others are served meanwhile."""
    async with (
        serving(certificates, head_timeout_s=SHORT_S) as proxy,
        await connect(proxy.port) as client,
    ):
        client.writer.write(begun)
        closing = asyncio.create_task(Listener(client).to_the_end())
        await check_served(proxy.port, certificates)
        assert await closing == b""


async def test_half_open_handshakes_do_not_keep_others_out(certificates: Certificates) -> None:
    """They count as connections; those that have waited longest make room for new ones."""
    limit = 10
    async with serving(certificates, max_connections=limit) as proxy, contextlib.AsyncExitStack() as stack:
        stalled = [await stack.enter_async_context(await connect(proxy.port)) for _ in range(limit)]
        for client in stalled:
            client.writer.write(CLIENT_HELLO_START)
        async with asyncio.timeout(DEADLINE_S):
            while not await is_served(proxy.port, certificates):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.05)
        async with asyncio.timeout(DEADLINE_S):
            assert await stalled[0].reader.read() == b""


async def is_served(port: int, certificates: Certificates) -> bool:
    """Whether a client is served, rather than refused."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        async with await connect_tls(port, certificates.client) as client:
            await client.send("GET", "/health")
            return (await client.read_reply()).status == 200
    return False


async def test_a_client_too_many_gets_503_by_tls(certificates: Certificates) -> None:
    """While all others have requests in flight: its handshake completes, so that it understands the response."""
    release = asyncio.Event()

    async def hold(exchange: Exchange) -> None:
        await release.wait()
        await exchange.write(json_answer({"ok": True}))

    options = replace(OPTIONS, tls=certificates.server, max_connections=1)
    async with (
        engine_running(hold) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
        await connect_tls(proxy.port, certificates.client) as busy,
    ):
        await busy.send(body=chat_body())
        await until(lambda: engine.exchanges)
        async with await connect_tls(proxy.port, certificates.client) as refused:
            reply = await refused.read_reply()
            assert (reply.status, reply.error["code"]) == (503, "too_many_connections")
            assert await refused.reader.read() == b""
        async with await connect(proxy.port) as plain:  # gets the same response in its own language
            plain.writer.write(PLAIN_REQUEST)
            (reply_to_plain,) = read_replies(await Listener(plain).to_the_end(), (b"POST",))
            assert reply_to_plain.status == 503
        release.set()
        assert (await busy.read_reply()).status == 200


@pytest.mark.parametrize("how", ["close_notify", "reset", "fin"])
async def test_a_client_that_leaves_in_mid_stream_is_noticed(certificates: Certificates, how: str) -> None:
    """At once: the exchange with the engine ends, and the model is released."""
    left = asyncio.Event()

    async def stream(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(b"data: one\n\n"))
        await exchange.peer_left()
        left.set()

    async with (
        engine_running(stream) as engine,
        proxy_running(runtime_for(engine), options=replace(OPTIONS, tls=certificates.server)) as proxy,
    ):
        client = await connect_tls(proxy.port, certificates.client)
        await client.send(body=chat_body(stream=True))
        await client.read_until(b"one")
        sock: socket.socket = client.writer.get_extra_info("socket")
        if how == "close_notify":
            client.writer.close()
        elif how == "reset":
            client.leave()
        else:
            with socket.socket(fileno=os.dup(sock.fileno())) as twin:
                twin.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(DEADLINE_S):
            await left.wait()
        await until(lambda: proxy.runtime.holds == 0)
        client.leave()


async def begin_by_hand(sock: socket.socket, context: ssl.SSLContext, request: bytes) -> None:
    """Shake hands over a socket and send a request: the response then stays in the socket, encrypted."""
    loop, incoming, outgoing = asyncio.get_running_loop(), ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            await loop.sock_sendall(sock, outgoing.read())
            incoming.write(await loop.sock_recv(sock, 2**16))
    tls.write(request)
    await loop.sock_sendall(sock, outgoing.read())


async def test_a_slow_reader_is_not_closed_and_slows_the_engine_down(certificates: Certificates) -> None:
    """It keeps its stream for many times the limit, and what is on its way to it stays bounded."""
    sent_bytes, loop = 0, asyncio.get_running_loop()

    async def endless(exchange: Exchange) -> None:
        nonlocal sent_bytes
        await exchange.write(SSE_HEAD)
        while True:
            await exchange.write(chunked(b"data: " + b"x" * 16_000 + b"\n\n"))
            sent_bytes += 16_000

    options = replace(OPTIONS, tls=certificates.server, write_timeout_s=SHORT_S * 2)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SIP_BYTES)
        sock.setblocking(False)
        async with (
            engine_running(endless) as engine,
            proxy_running(runtime_for(engine), options=options) as proxy,
        ):
            await loop.sock_connect(sock, ("127.0.0.1", proxy.port))
            await begin_by_hand(sock, certificates.client, post(body=chat_body(stream=True)))
            read_bytes = 0
            for _ in range(SIPS):
                part = await loop.sock_recv(sock, SIP_BYTES)
                assert part
                read_bytes += len(part)
                assert await listen_for_nothing(SHORT_S / 6)
            assert (engine.open, proxy.runtime.holds) == (1, 1)
            assert sent_bytes - read_bytes < MAX_ON_THE_WAY_BYTES
            sock.close()
            await until(lambda: engine.open == 0)


async def test_another_certificate_is_for_new_connections(certificates: Certificates) -> None:
    """Streams that run meanwhile are complete, and their connections serve further requests."""
    go_on = asyncio.Event()

    async def stream(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(b"data: one\n\n"))
        await go_on.wait()
        await exchange.write(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    live = LiveOptions(replace(OPTIONS, tls=certificates.server))
    async with (
        engine_running(stream) as engine,
        proxy_running(runtime_for(engine), options=live) as proxy,
        await connect_tls(proxy.port, certificates.client) as client,
    ):
        await client.send(body=chat_body(stream=True), is_last=False)
        await client.read_until(b"one")
        live.replace(replace(live.current, tls=context_of(certificates, "newer", names="DNS:newer.lan")))
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect_tls(proxy.port, certificates.client)
        async with await connect_tls(proxy.port, certificates.client, name="newer.lan") as newer:
            await newer.send("GET", "/health")
            assert (await newer.read_reply()).status == 200
        go_on.set()
        assert b"[DONE]" in await client.read_until(b"0\r\n\r\n")
        await client.send("GET", "/health")
        assert (await client.read_reply()).status == 200


async def test_a_port_stays_one_of_http_or_https(certificates: Certificates) -> None:
    """Other options change while it serves, TLS does not begin or end."""
    live = LiveOptions(OPTIONS)
    async with proxy_running(FakeRuntime({}), FakeCatalog([MODEL]), options=live) as proxy:
        assert (await ask(proxy.port, "GET", "/health")).status == 200
        live.replace(replace(OPTIONS, tls=certificates.server))
        assert (await ask(proxy.port, "GET", "/health")).status == 200


async def test_pipelined_requests_in_one_record(certificates: Certificates) -> None:
    """Each has its response, in order."""
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with (
        serving(certificates) as proxy,
        await connect_tls(proxy.port, certificates.client) as client,
    ):
        client.writer.write(request * 3)
        for _ in range(3):
            assert (await client.read_reply()).status == 200


async def test_a_shutdown_ends_streams_and_idle_connections(certificates: Certificates) -> None:
    """Within the grace, with an orderly end."""

    async def stream(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(b"data: one\n\n"))
        await exchange.peer_left()

    async with (
        engine_running(stream) as engine,
        proxy_running(
            runtime_for(engine), options=ProxyOptions(tls=certificates.server, head_timeout_s=LONG_S)
        ) as proxy,
        await connect(proxy.port) as stalled,
        await connect_tls(proxy.port, certificates.client) as idle,
        await connect_tls(proxy.port, certificates.client) as client,
    ):
        stalled.writer.write(CLIENT_HELLO_START)
        await idle.send("GET", "/health", is_last=False)
        assert (await idle.read_reply()).status == 200
        await client.send(path=CHAT, body=chat_body(stream=True))
        await client.read_until(b"one")
        await proxy.stop()
        assert b'"error"' in await client.reader.read()
        assert await idle.reader.read() == b""
