"""A request that failed because of another request on the engine is resent alone; the client does not notice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.support.waiting import until

from gglib.proxy import ProxyOptions

from .support import (
    SSE_HEAD,
    Client,
    Engine,
    Exchange,
    Proxy,
    Reply,
    ask,
    chat_body,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    quick,
    runtime_for,
)

FULL = {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}}
FULL_EVENT = (
    b'data: {"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}\n\n'
)
FULL_ANSWER = json_answer(FULL, b"500 Internal Server Error")
END = b"0\r\n\r\n"
DELTA = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


@dataclass
class Crowd:
    """An engine whose cache holds one request: the test chooses which ones fail."""

    fail: asyncio.Event = field(default_factory=asyncio.Event)
    """Until it is set, the first ``crowd`` exchanges are computed."""
    failure: bytes = FULL_ANSWER
    crowd: int = 2
    begun: list[bytes] = field(default_factory=list)
    now: int = 0
    most_beside_a_retry: int = 0
    survivors: tuple[int, ...] = ()
    """The exchanges of the crowd that succeed all the same."""
    release: asyncio.Event = field(default_factory=asyncio.Event)
    """When it is set, the survivors end."""
    always_fails: bool = False

    async def script(self, exchange: Exchange) -> None:
        """Handle one request."""
        number = len(self.begun)
        self.begun.append(exchange.body)
        self.now += 1
        try:
            if number < self.crowd:
                await self.fail.wait()
                if number in self.survivors:
                    await self.release.wait()
                    await exchange.write(ok(exchange))
                else:
                    await exchange.write(self.failure)
                return
            self.most_beside_a_retry = max(self.most_beside_a_retry, self.now)
            await exchange.write(FULL_ANSWER if self.always_fails else ok(exchange))
        finally:
            self.now -= 1


def ok(exchange: Exchange) -> bytes:
    """Return a complete response, as a stream if one is requested."""
    if b'"stream": true' in exchange.body:
        return SSE_HEAD + chunked(DELTA, DONE) + END
    return json_answer({"ok": exchange.body.decode()})


@asynccontextmanager
async def crowded(crowd: Crowd, **options: float) -> AsyncIterator[tuple[Proxy, Engine]]:
    """Serve with that engine."""
    async with (
        engine_running(crowd.script) as engine,
        proxy_running(runtime_for(engine), options=ProxyOptions(heartbeat_s=0, **options)) as proxy,  # type: ignore[arg-type]
    ):
        yield proxy, engine


async def both_in_flight(crowd: Crowd, proxy: Proxy, *, is_stream: bool) -> list[asyncio.Task[Reply]]:
    """Send two requests and return when both are on the engine."""
    tasks = [
        asyncio.create_task(ask(proxy.port, body=chat_body(stream=is_stream, user=str(number))))
        for number in range(2)
    ]
    await until(lambda: len(crowd.begun) == 2)
    return tasks


async def test_two_that_failed_each_other_are_answered_one_after_the_other() -> None:
    """Each is resent once, unchanged, with no other request on the engine."""
    crowd = Crowd()
    with quick():
        async with crowded(crowd) as (proxy, _):
            tasks = await both_in_flight(crowd, proxy, is_stream=False)
            crowd.fail.set()
            replies = [await task for task in tasks]
    assert [reply.status for reply in replies] == [200, 200]
    assert [reply.json()["ok"].encode() for reply in replies] == [
        chat_body(stream=False, user=str(number)) for number in range(2)
    ]
    assert sorted(crowd.begun[:2]) == sorted(crowd.begun[2:])
    assert crowd.most_beside_a_retry == 1


@pytest.mark.parametrize(
    "failure",
    [
        FULL_ANSWER,
        SSE_HEAD + chunked(FULL_EVENT) + END,
        SSE_HEAD + chunked(b":\n\n", b":\n\n" + FULL_EVENT) + END,
        SSE_HEAD + chunked(FULL_EVENT[:30], FULL_EVENT[30:]) + END,
        SSE_HEAD + chunked(b"event: error\n" + FULL_EVENT) + END,
    ],
    ids=["before the head", "first event", "behind comments", "in two chunks", "Anthropic's form"],
)
async def test_a_stream_of_which_nothing_was_relayed_is_sent_again(failure: bytes) -> None:
    """Its head and comments may have been sent by then; the response follows in the same stream."""
    crowd = Crowd(failure=failure)
    with quick():
        async with crowded(crowd) as (proxy, _):
            tasks = await both_in_flight(crowd, proxy, is_stream=True)
            crowd.fail.set()
            replies = [await task for task in tasks]
    for reply in replies:
        assert reply.status == 200
        assert reply.body.lstrip(b":\n") == DELTA + DONE
        assert reply.is_whole
    assert len(crowd.begun) == 4
    assert crowd.most_beside_a_retry == 1


async def test_a_stream_whose_heartbeats_have_gone_is_sent_again() -> None:
    """Heartbeats continue while it waits, and the response follows them."""
    crowd = Crowd(survivors=(0,))
    async with (
        engine_running(crowd.script) as engine,
        proxy_running(runtime_for(engine), options=ProxyOptions(heartbeat_s=0.01)) as proxy,
    ):
        first = asyncio.create_task(ask(proxy.port, body=chat_body(stream=True)))
        await until(lambda: len(crowd.begun) == 1)
        async with await connect(proxy.port) as client:
            await client.send(body=chat_body(stream=True))
            await client.read_until(b":\n\n")
            crowd.fail.set()
            await until(lambda: len(crowd.begun) == 2 and crowd.now == 1)
            await client.read_until(b":\n\n")
            await client.read_until(b":\n\n")
            crowd.release.set()
            rest = await client.read_until(END)
        assert (await first).status == 200
    assert DELTA in rest
    assert b"error" not in rest
    assert crowd.most_beside_a_retry == 1


async def test_what_is_alone_waits_for_the_others_and_new_ones_wait_behind_it() -> None:
    """The survivor runs to its end; a new request does not overtake the waiting one."""
    crowd = Crowd(survivors=(0,))
    async with crowded(crowd) as (proxy, engine):
        first, second = await both_in_flight(crowd, proxy, is_stream=False)
        crowd.fail.set()
        await until(lambda: crowd.now == 1)
        late = asyncio.create_task(ask(proxy.port, body=chat_body(user="late")))
        await until(lambda: proxy.runtime.holds == 3)  # the waiting request holds a lease as well
        assert len(engine.exchanges) == 2
        crowd.release.set()
        replies = [await first, await second, await late]
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert crowd.begun[3] == chat_body(user="late")
    assert crowd.most_beside_a_retry == 1


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_request_that_was_alone_gets_the_error(is_stream: bool) -> None:  # noqa: FBT001 - a case
    """The engine has no room for it: resending would not help."""
    crowd = Crowd(crowd=1)
    crowd.fail.set()
    async with crowded(crowd) as (proxy, _):
        reply = await ask(proxy.port, body=chat_body(stream=is_stream))
    assert (reply.status, reply.error["code"]) == (400, "context_length_exceeded")
    assert len(crowd.begun) == 1


async def test_it_is_sent_again_once() -> None:
    """A request that fails alone as well gets the error."""
    crowd = Crowd(always_fails=True)
    async with crowded(crowd) as (proxy, _):
        tasks = await both_in_flight(crowd, proxy, is_stream=False)
        crowd.fail.set()
        replies = [await task for task in tasks]
    assert [reply.error["code"] for reply in replies] == ["context_length_exceeded"] * 2
    assert len(crowd.begun) == 4


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_wait_for_the_others_has_an_end(is_stream: bool) -> None:  # noqa: FBT001 - a case
    """If the other requests do not end within the client's wait limit, the engine's error is relayed."""
    failure = SSE_HEAD + chunked(FULL_EVENT) + END if is_stream else FULL_ANSWER
    crowd = Crowd(survivors=(0,), failure=failure)
    async with crowded(crowd) as (proxy, _):
        first = asyncio.create_task(ask(proxy.port, body=chat_body()))
        await until(lambda: len(crowd.begun) == 1)
        second = asyncio.create_task(
            ask(proxy.port, body=chat_body(stream=is_stream), headers=(("Prefer", "wait=0"),))
        )
        await until(lambda: len(crowd.begun) == 2)
        crowd.fail.set()
        reply = await second
        crowd.release.set()
        assert (await first).status == 200
    assert reply.status >= 400
    assert (reply.status, reply.error["code"]) == (400, "context_length_exceeded")
    assert len(crowd.begun) == 2


async def test_a_client_that_leaves_while_its_request_waits_holds_nothing_up() -> None:
    """The disconnect blocks neither the model nor the requests behind it."""
    crowd = Crowd(survivors=(0,))
    async with crowded(crowd) as (proxy, _):
        first = asyncio.create_task(ask(proxy.port, body=chat_body()))
        await until(lambda: len(crowd.begun) == 1)
        client: Client = await connect(proxy.port)
        await client.send(body=chat_body())
        await until(lambda: len(crowd.begun) == 2)
        crowd.fail.set()
        await until(lambda: crowd.now == 1)
        client.leave()
        await until(lambda: proxy.runtime.holds == 1)
        crowd.release.set()
        assert (await first).status == 200
        assert (await ask(proxy.port, body=chat_body(user="late"))).status == 200
    assert crowd.begun[2:] == [chat_body(user="late")]


async def test_an_overflow_in_the_middle_is_not_sent_again() -> None:
    """Relayed bytes cannot be taken back; the engine's error ends the stream."""
    crowd = Crowd(failure=SSE_HEAD + chunked(DELTA, FULL_EVENT) + END)
    async with crowded(crowd) as (proxy, _):
        tasks = await both_in_flight(crowd, proxy, is_stream=True)
        crowd.fail.set()
        replies = [await task for task in tasks]
    for reply in replies:
        assert reply.body.startswith(DELTA)
        assert b"Context size has been exceeded" in reply.body
        assert b"[DONE]" not in reply.body
    assert len(crowd.begun) == 2


async def test_a_beginning_that_is_no_error_is_relayed_as_it_came() -> None:
    """However it is split, no part of the stream is held back, lost or duplicated."""
    parts = (b":\n\n", b"da", b"ta: {", b'"choices":[]}\n', b"\n", b"data: [DONE]", b"\n\n")

    async def script(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD)
        for part in parts:
            await exchange.write(chunked(part))
            await asyncio.sleep(0.002)
        await exchange.write(END)

    async with engine_running(script) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body(stream=True))
    assert reply.body == b"".join(parts)
    assert reply.is_whole
