"""Results do not depend on how input is split: all splits in two of requests, and of upstream responses."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

import pytest
from tests.integration.proxy.support import (
    SSE_HEAD,
    Exchange,
    chat_body,
    chunked,
    connect,
    engine_running,
    proxy_running,
    runtime_for,
)

from .cases import PATH, head, length_of
from .reference import read_connection
from .representatives import REPRESENTATIVES, Representative
from .upstream import Recorder, recording, shown
from .wire import Listener, Reply

AT_ONCE = 16
TURNS = 4
"""Loop iterations after which the peer has read what was written to a loopback socket."""

SSE_BODY = (
    b": a comment\n\n",
    b'data: {"choices":[{"delta":{"content":"h\xc3\xa9llo \xf0\x9f\x98\x80"}}]}\n\n',
    b"event: x\r\ndata: 1\r\ndata: 2\r\n\r\n",
    b"data: \xe2\x82",
    b"\xac\n\n:\n\ndata: 3\r\r",
    b"data: [DONE]\n\n",
)
ANSWERS = {
    "chunked": (SSE_HEAD + chunked(*SSE_BODY) + b"0\r\n\r\n", b"".join(SSE_BODY)),
    "chunked, with extensions and trailers": (
        SSE_HEAD + b"C;a=b\r\ndata: {}\r\n\r\n\r\n" + chunked(SSE_BODY[-1]) + b"000;x\r\nX-A: b\r\n\r\n",
        b"data: {}\r\n\r\n" + SSE_BODY[-1],
    ),
    "by length": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n" + b'{"a":"1"}',
        b'{"a":"1"}',
    ),
    "after an interim answer": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + SSE_HEAD + chunked(*SSE_BODY) + b"0\r\n\r\n",
        b"".join(SSE_BODY),
    ),
}


async def seen_by_the_other_end() -> None:
    """Run the loop until the proxy, which runs in it, has read what was written."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def for_each(splits: Iterable[int], run: Callable[[int], Awaitable[None]]) -> None:
    """Call ``run`` for each split, several at a time."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(split: int) -> None:
        async with free:
            await run(split)

    async with asyncio.TaskGroup() as group:
        for split in splits:
            group.create_task(one(split))


def essence(reply: Reply) -> object:
    """Return the parts of a response that must not depend on the split; a 100 (Continue) may."""
    varying = {"date"} if reply.values("x-request-id") == ["a-given-one"] else {"date", "x-request-id"}
    return reply.status, [header for header in reply.headers if header[0] not in varying], reply.body


async def send_in_parts(port: int, kind: Representative, parts: Iterable[bytes]) -> list[Reply]:
    """Send a representative in parts that are read separately, and return its responses."""
    async with await connect(port) as client:
        for part in parts:
            client.writer.write(part)
            await seen_by_the_other_end()
        return await Listener(client).replies(len(kind.methods), kind.methods)


def upstream_sight(upstream: Recorder) -> Counter[object]:
    """Return the requests that the upstream received, including headers."""
    return Counter((seen.content, seen.headers) for seen in upstream.requests)


@pytest.mark.parametrize("kind", REPRESENTATIVES, ids=lambda kind: kind.name)
async def test_every_split_of_a_request_is_the_same_request(kind: Representative) -> None:
    """A valid request in two writes, split at any byte, gets the same responses and reaches the upstream the same."""
    async with recording() as upstream, proxy_running(upstream.runtime) as proxy:
        whole = [essence(reply) for reply in await send_in_parts(proxy.port, kind, [kind.raw])]
        assert len(whole) == len(kind.methods)
        sight = upstream_sight(upstream)
        expected = Counter(seen.content for seen in read_connection(kind.raw).requests if seen.target == PATH)
        assert Counter(seen.content for seen in upstream.requests) == expected
        upstream.requests.clear()

        async def run(split: int) -> None:
            replies = await send_in_parts(proxy.port, kind, (kind.raw[:split], kind.raw[split:]))
            assert [essence(reply) for reply in replies] == whole, f"cut at {split}"

        await for_each(range(1, len(kind.raw)), run)
        assert upstream_sight(upstream) == Counter(
            {seen: n * (len(kind.raw) - 1) for seen, n in sight.items()}
        )


@pytest.mark.parametrize("kind", REPRESENTATIVES, ids=lambda kind: kind.name)
async def test_a_request_byte_by_byte_is_the_same_request(kind: Representative) -> None:
    """A valid request in single-byte writes is served as if it arrived whole."""
    async with recording() as upstream, proxy_running(upstream.runtime) as proxy:
        whole = [essence(reply) for reply in await send_in_parts(proxy.port, kind, [kind.raw])]
        sight = upstream_sight(upstream)
        upstream.requests.clear()
        parts = [bytes([byte]) for byte in kind.raw]
        assert [essence(reply) for reply in await send_in_parts(proxy.port, kind, parts)] == whole
        assert upstream_sight(upstream) == sight


@pytest.mark.parametrize("kind", ANSWERS)
async def test_every_split_of_a_response_is_the_same_response(kind: str) -> None:
    """An upstream's response in two writes, split at any byte, reaches the client as the same bytes."""
    raw, body = ANSWERS[kind]

    async def script(exchange: Exchange) -> None:
        (split,) = exchange.values("x-split")
        await exchange.write(raw[: int(split)])
        await seen_by_the_other_end()
        await exchange.write(raw[int(split) :])

    async with engine_running(script) as engine, proxy_running(runtime_for(engine)) as proxy:

        async def run(split: int) -> None:
            asked = chat_body(stream=True)
            lines = b"Host: localhost", b"X-Split: %d" % split, length_of(asked)
            async with await connect(proxy.port) as client:
                client.writer.write(head(b"POST", PATH, *lines) + asked)
                (reply,) = await Listener(client).replies(1, (b"POST",))
            assert reply.status == 200
            assert reply.body == body, f"cut at {split}"

        await for_each(range(1, len(raw)), run)
        assert len(engine.exchanges) == len(raw) - 1


def test_upstream_responses_are_distinguishable_from_the_proxys() -> None:
    """The content of an upstream response never occurs in a response by the proxy itself."""
    assert shown(b'{"status":"ok"}') is None
    assert shown(b'data: {"seen": "x"}\n\ndata: [DONE]\n\n') == "x"
