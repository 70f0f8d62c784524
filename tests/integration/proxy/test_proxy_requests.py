"""``/gglib/requests`` and ``/gglib/usage``: what happened, what is in progress, and its cancellation."""

import asyncio
import json
from typing import Any

import pytest
from tests.support.waiting import until

from gglib.core.api_keys import ApiKey
from gglib.core.errors import HistoryError, ModelLoadFailedError
from gglib.core.models import ModelSummary
from gglib.core.runtime.events import RequestQueued
from gglib.core.runtime.status import SwapStatus
from gglib.proxy import LiveHistory, ProxyOptions, SharedState
from gglib.testing import FakeCatalog, FakeHistory, FakeRuntime

from .support import (
    CHAT,
    MODEL,
    SSE_HEAD,
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
from .test_proxy_events import EventStream, following

PATH = "/gglib/requests"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}
ANSWER = {"choices": [{"message": {"content": "hi"}}], "usage": USAGE}
AGENT = ("User-Agent", "AsyncOpenAI/Python 3.57.0")
MESSAGES, OLLAMA, RESPONSES = "/v1/messages", "/api/chat", "/v1/responses"


async def answer(exchange: Exchange) -> None:
    """Respond as an engine."""
    await exchange.write(json_answer(ANSWER))


async def hang(exchange: Exchange) -> None:
    """Begin a stream and never end it."""
    await exchange.write(SSE_HEAD + chunked(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'))
    await exchange.peer_left()


async def get(proxy: Proxy, path: str, **options: Any) -> Any:
    """Return the JSON of a path."""
    reply = await ask(proxy.port, "GET", path, **options)
    assert reply.status == 200, reply.body
    return reply.json()


async def the_running(proxy: Proxy) -> dict[str, Any]:
    """Return the only request in progress, once it has begun to respond."""
    while True:
        running = (await get(proxy, PATH + "?state=running"))["running"]
        if running and running[0]["chunks"]:
            assert len(running) == 1
            return dict(running[0])


async def test_a_request_is_stored_with_what_it_was() -> None:
    """Its client, model, route, times and tokens; not its query, body or path."""
    history = FakeHistory()
    async with engine_running(answer) as engine, proxy_running(runtime_for(engine), history=history) as proxy:
        headers = (AGENT, ("x-request-id", "mine"))
        await ask(proxy.port, path=CHAT + "?secret=1", body=chat_body(), headers=headers)
        found = await get(proxy, PATH)
    assert found["running"] == []
    assert (found["next_before"], found["is_off"]) == (None, False)
    (request,) = found["requests"]
    assert request["duration_s"] >= request["waited_s"] >= 0
    assert request["ended_at_s"] > 1_700_000_000
    expected = {
        "id": 1,
        "request_id": "mine",
        "route": CHAT,
        "status": 200,
        "model": "tiny",
        "requested_model": None,
        "client": "openai-python",
        "address": "127.0.0.1",
        "error": None,
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "cached_tokens": 2,
        "is_streamed": False,
        "has_bodies": False,
        "count": 1,
    }
    assert request | expected == request
    assert "secret" not in str(history.requests)


async def test_reads_are_stored_only_if_they_fail() -> None:
    """A page that polls does not fill the history; what clients request on their own is no failure."""
    history = FakeHistory()
    async with proxy_running(FakeRuntime(), history=history) as proxy:
        for path in ("/v1/models", "/gglib/status", "/health", "/favicon.ico", PATH, "/gglib/usage"):
            await ask(proxy.port, "GET", path)
        await ask(proxy.port, "POST", "/api/show", body=b'{"model":"tiny"}')
        await ask(proxy.port, "GET", "/v1/secret/path")
        await ask(proxy.port, "POST", "/gglib/stop")
        await ask(proxy.port, body=b"{")
    stored = [(request.route, request.status, request.error) for request in history.requests]
    assert stored == [
        ("other", 404, "not_found"),
        ("/gglib/stop", 200, None),
        (CHAT, 400, "invalid_request"),
    ]


async def test_a_refusal_of_the_http_server_is_stored() -> None:
    """Its status is all that is known of it."""
    history = FakeHistory()
    async with proxy_running(FakeRuntime(), history=history) as proxy, await connect(proxy.port) as client:
        client.writer.write(b"not http\r\n\r\n")
        assert (await client.read_reply()).status == 400
    (request,) = history.requests
    assert (request.route, request.status, request.model) == ("other", 400, None)
    assert request.error is not None


async def test_an_unknown_model_is_stored_by_the_requested_name() -> None:
    """The model is null, since none served it."""
    history = FakeHistory()
    async with proxy_running(FakeRuntime(), history=history) as proxy:
        await ask(proxy.port, body=chat_body(model="nosuch"))
        await ask(proxy.port, body=chat_body(model="x" * 512))
    first, second = history.requests
    assert (first.model, first.requested_model, first.error) == (None, "nosuch", "model_not_found")
    assert first.error_message is None
    assert second.requested_model == "x" * 200


async def test_an_alias_is_stored_with_its_model() -> None:
    """Both names can be searched."""
    history, model = FakeHistory(), ModelSummary(id=1, name="tiny", aliases=("small",))
    async with engine_running(answer) as engine:
        runtime = FakeRuntime({MODEL.name: engine.target})
        async with proxy_running(runtime, FakeCatalog([model]), history=history) as proxy:
            await ask(proxy.port, body=chat_body(model="small"))
            assert len((await get(proxy, PATH + "?q=SMALL&model=tiny"))["requests"]) == 1
            assert (await get(proxy, PATH + "?q=large"))["requests"] == []
    assert (history.requests[0].model, history.requests[0].requested_model) == ("tiny", "small")


class SwappingRuntime(FakeRuntime):
    """A runtime whose request ``causer`` caused a swap, and whose loads of ``broken`` fail."""

    def swap_of(self, request_id: str) -> SwapStatus | None:
        """Return the swap."""
        found = SwapStatus(from_model="old", to_model="tiny", why="", request_id="causer")
        return found if request_id == "causer" else None


async def test_the_message_of_an_operators_error_is_stored() -> None:
    """And the swap that the request caused, also if the load failed."""
    history = FakeHistory()
    runtime = SwappingRuntime(fails_with=ModelLoadFailedError("tiny", "no memory"))
    async with proxy_running(runtime, history=history) as proxy:
        await ask(proxy.port, body=chat_body(), headers=(("x-request-id", "causer"),))
        await ask(proxy.port, body=chat_body())
        caused = (await get(proxy, PATH + "?swap=true&failed=true&status=5xx"))["requests"]
    assert [request["request_id"] for request in caused] == ["causer"]
    assert caused[0]["swap"] == "old -> tiny"
    assert "no memory" in caused[0]["error_message"]
    assert history.requests[1].swap is None


async def test_a_forwarded_request_that_waits_is_withdrawn() -> None:
    """It ends at once, and so does its lease; while it runs it stays, and other gglibs cannot withdraw it."""
    gate = asyncio.Event()
    hop = (("x-request-id", "a/b"), ("x-gglib-hop", "front-1"))
    async with engine_running(hang) as engine:
        runtime = FakeRuntime({"tiny": engine.target}, gate=gate)
        async with proxy_running(runtime) as proxy, await connect(proxy.port) as client:

            async def withdraw(front: str) -> bool:
                reply = await ask(proxy.port, "POST", f"{PATH}/a%2Fb/withdraw?front={front}")
                assert reply.status == 200, reply.body
                return bool(reply.json()["withdrawn"])

            await client.send(body=chat_body(stream=True), headers=hop)
            await until(lambda: runtime.waiting)
            assert not await withdraw("front-2")
            assert await withdraw("front-1")
            reply = await client.read_reply()
            assert (reply.status, reply.error["code"]) == (503, "withdrawn")
            assert reply.values("x-gglib-error") == ["withdrawn"]
            assert (runtime.waiting, runtime.holds, engine.exchanges) == (0, 0, [])
            gate.set()
            async with await connect(proxy.port) as other:
                await other.send(body=chat_body(stream=True), headers=hop)
                await until(lambda: runtime.holds)
                assert not await withdraw("front-1")
                assert runtime.holds == 1
            missing = await ask(proxy.port, "POST", f"{PATH}/a%2Fb/withdraw")
            assert (missing.status, missing.error["param"]) == (400, "front")


async def test_a_request_in_progress_is_listed_and_cancelled() -> None:
    """The client gets an error event, the record its code, and the engine a closed connection."""
    history = FakeHistory()
    async with engine_running(hang) as engine, proxy_running(runtime_for(engine), history=history) as proxy:
        async with await connect(proxy.port) as client:
            headers = (AGENT, ("x-request-id", "a/b%20c"))
            await client.send(body=chat_body(stream=True), headers=headers)
            running = await the_running(proxy)
            expected = {
                "request_id": "a/b%20c",
                "route": CHAT,
                "state": "running",
                "model": "tiny",
                "client": "openai-python",
                "is_streamed": True,
                "chunks": 1,
            }
            assert running | expected == running
            shown = await get(proxy, f"{PATH}/a%2Fb%2520c")
            assert (shown["request"], shown["running"]["request_id"]) == (None, "a/b%20c")
            # The id of the request that cancels is no reason to cancel it.
            reply = await ask(proxy.port, "DELETE", f"{PATH}/a%2Fb%2520c", headers=headers[1:])
            assert (reply.status, reply.json()) == (200, {"cancelled": "a/b%20c"})
            body = (await client.read_reply()).body
        await until(lambda: engine.open == 0)
        again = await ask(proxy.port, "DELETE", f"{PATH}/a%2Fb%2520c")
        assert (again.status, again.error["code"]) == (404, "request_not_found")
        shown = await get(proxy, f"{PATH}/a%2Fb%2520c")
    assert json.loads(body.split(b"data: ")[-1])["error"]["code"] == "request_cancelled"
    assert b"[DONE]" not in body
    assert shown["running"] is None
    assert (shown["request"]["error"], shown["request"]["status"]) == ("request_cancelled", 200)


@pytest.mark.parametrize("path", [CHAT, MESSAGES, OLLAMA, RESPONSES])
async def test_a_cancelled_request_without_a_response_gets_503(path: str) -> None:
    """In the form of its dialect, and clients do not send it again."""
    waiting = asyncio.Event()

    async def silent(exchange: Exchange) -> None:
        waiting.set()
        await exchange.peer_left()

    async with (
        engine_running(silent) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        fields = {"input": "x"} if path == RESPONSES else {"stream": False, "max_tokens": 9}
        await client.send(path=path, body=chat_body(**fields), headers=(("x-request-id", "q"),))
        async with asyncio.timeout(10):
            await waiting.wait()
        assert (await ask(proxy.port, "DELETE", f"{PATH}/q")).status == 200
        reply = await client.read_reply()
    assert reply.status == 503
    assert reply.values("x-should-retry") == ["false"]
    assert "cancelled" in str(reply.json()["error"])


async def test_all_requests_with_an_id_are_cancelled() -> None:
    """Clients may choose the id, also one that is in use."""
    async with (
        engine_running(hang) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as first,
        await connect(proxy.port) as second,
    ):
        for client in (first, second):
            await client.send(body=chat_body(stream=True), headers=(("x-request-id", "q"),))
        await until(lambda: engine.open == 2)
        assert (await ask(proxy.port, "DELETE", f"{PATH}/q")).status == 200
        for client in (first, second):
            assert b"request_cancelled" in (await client.read_reply()).body


async def test_requests_of_both_ports_are_listed() -> None:
    """They share the history and the requests in progress; each is stored once."""
    history, shared = FakeHistory(), SharedState()
    async with engine_running(answer) as engine:
        runtime = runtime_for(engine)
        async with (
            proxy_running(runtime, history=history, shared=shared) as first,
            proxy_running(runtime, history=history, shared=shared) as second,
        ):
            await ask(first.port, body=chat_body())
            await ask(second.port, body=chat_body())
            assert len((await get(first, PATH))["requests"]) == 2
    assert len(history.requests) == 2


async def test_pages() -> None:
    """``next_before`` leads to the next page; requests in progress are on the first one."""
    history = FakeHistory()
    async with engine_running(answer) as engine, proxy_running(runtime_for(engine), history=history) as proxy:
        for _ in range(3):
            await ask(proxy.port, body=chat_body())
        first = await get(proxy, PATH + "?limit=2")
        second = await get(proxy, f"{PATH}?limit=2&before={first['next_before']}")
    assert [request["id"] for request in (*first["requests"], *second["requests"])] == [3, 2, 1]
    assert second["next_before"] is None


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("color=red", "color"),
        ("status=abc", "status"),
        ("status=failed&failed=false", "failed"),
        ("failed=yes", "failed"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("min_duration_s=-1", "min_duration_s"),
        ("min_duration_s=nan", "min_duration_s"),
        ("since=tomorrow", "since"),
        ("until=0", "until"),
        ("before=x", "before"),
        ("state=waiting", "state"),
        ("key=a&key=b", "key"),
        ("q=" + "x" * 257, "q"),
    ],
)
async def test_a_query_is_read_strictly(query: str, param: str) -> None:
    """The error names the parameter."""
    async with proxy_running(FakeRuntime(), history=FakeHistory()) as proxy:
        reply = await ask(proxy.port, "GET", f"{PATH}?{query}")
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_without_a_history_only_requests_in_progress_are_listed() -> None:
    """The response says so, and there is no usage."""
    live = LiveHistory()
    async with engine_running(hang) as engine, proxy_running(runtime_for(engine), history=live) as proxy:
        async with await connect(proxy.port) as client:
            await client.send(body=chat_body(stream=True))
            await the_running(proxy)
            found = await get(proxy, PATH)
            assert (len(found["running"]), found["requests"], found["is_off"]) == (1, [], True)
        reply = await ask(proxy.port, "GET", "/gglib/usage")
        assert (reply.status, reply.error["code"]) == (501, "not_offered")
        live.current = FakeHistory()
        assert (await get(proxy, PATH))["is_off"] is False
        await get(proxy, "/gglib/usage")


async def test_a_history_that_cannot_be_read() -> None:
    """The requests themselves are not affected."""
    history = FakeHistory(fails_with=HistoryError("broken"))
    async with engine_running(answer) as engine, proxy_running(runtime_for(engine), history=history) as proxy:
        assert (await ask(proxy.port, body=chat_body())).status == 200
        for path in (PATH, f"{PATH}/1", "/gglib/usage"):
            reply = await ask(proxy.port, "GET", path)
            assert (reply.status, reply.error["code"]) == (500, "history_error")


async def test_usage_is_for_admins_and_for_the_own_key() -> None:
    """A key without admin rights sees its own rows; those of others are refused."""
    options = ProxyOptions(api_keys={"alice": "alice-admin-key", "bob": ApiKey(key="bob-client-key")})
    alice, bob = (("x-api-key", "alice-admin-key"),), (("x-api-key", "bob-client-key"),)
    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine), options=options, history=FakeHistory()) as proxy,
    ):
        for headers in (alice, bob, bob):
            await ask(proxy.port, body=chat_body(), headers=headers)
        whole = await get(proxy, "/gglib/usage?by=key,model", headers=alice)
        own = await get(proxy, "/gglib/usage?by=day", headers=bob)
        same = await get(proxy, "/gglib/usage?key=bob", headers=bob)
        refused = await ask(proxy.port, "GET", "/gglib/usage?key=alice", headers=bob)
    assert [(row["key"], row["model"], row["requests"]) for row in whole["usage"]] == [
        ("alice", "tiny", 1),
        ("bob", "tiny", 2),
    ]
    assert (whole["total"]["prompt_tokens"], whole["total"]["completion_tokens"]) == (21, 9)
    assert whole["total"]["cached_tokens"] == 6
    assert own["total"]["requests"] == same["total"]["requests"] == 2
    assert (refused.status, refused.error["code"]) == (403, "forbidden")


async def test_usage_is_not_for_pages_of_others() -> None:
    """If no keys are set, as for the admin API."""
    headers = (("Origin", "http://localhost:3000"),)
    async with proxy_running(FakeRuntime(), history=FakeHistory()) as proxy:
        reply = await ask(proxy.port, "GET", "/gglib/usage", headers=headers)
    assert (reply.status, reply.error["code"]) == (403, "forbidden")


@pytest.mark.parametrize("by", ["hour,day", "key,key", "color", "key,", ",key"])
async def test_a_grouping_is_read_strictly(by: str) -> None:
    """Each field at most once, and hours or days."""
    async with proxy_running(FakeRuntime(), history=FakeHistory()) as proxy:
        reply = await ask(proxy.port, "GET", f"/gglib/usage?by={by}")
    assert (reply.status, reply.error["param"]) == (400, "by")


async def next_request(events: EventStream) -> tuple[str, dict[str, Any]]:
    """Return the next event of a request."""
    while True:
        name, data = await events.next()
        if name.startswith("request_"):
            return name, data


async def next_change(events: EventStream) -> tuple[str, dict[str, Any]]:
    """Return the next event that is no snapshot."""
    while True:
        name, data = await events.next()
        if name != "snapshot":
            return name, data


async def test_the_feed_has_requests_for_those_who_want_them() -> None:
    """Their start, if they take a moment, and their end; another reader gets none."""
    async with (
        engine_running(hang) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        following(proxy, path="/gglib/events?requests=true") as events,
        following(proxy) as others,
    ):
        assert (await events.next())[0] == "snapshot"
        assert (await others.next())[0] == "snapshot"
        async with await connect(proxy.port) as client:
            await client.send(body=chat_body(stream=True), headers=(("x-request-id", "q"),))
            started = await next_request(events)
        finished = await next_request(events)
        proxy.runtime.publish(RequestQueued(model_name="tiny", request_id="q"))
        name, _ = await next_change(others)
    assert (started[0], started[1]["request_id"]) == ("request_started", "q")
    assert (finished[0], finished[1]["status"], finished[1]["id"]) == ("request_finished", 499, None)
    assert name == "queued"
