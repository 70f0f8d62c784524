"""Limits per API key: refusals in each dialect, headers, what counts, and many clients at once."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import openai
import pytest
from tests.support.waiting import until

from gglib.core.api_keys import LOCAL_KEY_NAME, ApiKey, KeyLimits
from gglib.core.errors import HistoryError
from gglib.core.history.usage import KeyUse
from gglib.proxy import LiveOptions, ProxyOptions, SharedState
from gglib.testing import FakeHistory

from .support import (
    CHAT,
    SSE_HEAD,
    Exchange,
    Reply,
    ask,
    chat_body,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

MESSAGES = "/v1/messages"
CLIENTS = 50


def options_of(**limits: KeyLimits) -> ProxyOptions:
    """Return options with a key for each name."""
    keys = {name: ApiKey(key=f"SECRET-of-{name}", limits=own) for name, own in limits.items()}
    return ProxyOptions(api_keys={**keys, "root": "SECRET-of-root"})


def bearer(name: str) -> tuple[tuple[str, str], ...]:
    """Return the header with the key of this name."""
    return (("Authorization", f"Bearer SECRET-of-{name}"),)


def completion(prompt: int = 10, tokens: int = 5) -> bytes:
    """Return an engine's response with its usage."""
    return json_answer(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "tiny",
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": tokens,
                "total_tokens": prompt + tokens,
            },
        }
    )


async def respond(exchange: Exchange) -> None:
    """Respond at once."""
    await exchange.write(completion())


def limit_headers(reply: Reply) -> dict[str, str]:
    """Return the headers about limits and retries."""
    return {name: value for name, value in reply.headers if "ratelimit" in name or "retry" in name}


async def used_by(port: int, name: str) -> dict[str, Any]:
    """Return the use of a key, from the admin API."""
    listed = (await ask(port, "GET", "/gglib/keys", headers=bearer("root"))).json()["keys"]
    use: dict[str, Any] = next(key["use"] for key in listed if key["name"] == name)
    return use


async def test_requests_beyond_the_limit_get_429() -> None:
    """With OpenAI's code, type and headers; the message says what to do. Other keys are not affected."""
    async with (
        engine_running(respond) as engine,
        proxy_running(
            runtime_for(engine), options=options_of(alice=KeyLimits(rpm=2), bob=KeyLimits())
        ) as proxy,
    ):
        replies = [await ask(proxy.port, body=chat_body(), headers=bearer("alice")) for _ in range(3)]
        others = [await ask(proxy.port, body=chat_body(), headers=bearer(name)) for name in ("bob", "root")]
        assert len(engine.exchanges) == 4
    assert [reply.status for reply in (*replies, *others)] == [200, 200, 429, 200, 200]
    assert not limit_headers(others[0]) | limit_headers(others[1])
    assert limit_headers(replies[0]) == {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "1",
        "x-ratelimit-reset-requests": "1m0s",
    }
    refused = limit_headers(replies[2])
    assert refused["x-ratelimit-remaining-requests"] == "0"
    assert 50 <= int(refused["retry-after"]) <= 60
    assert 50_000 <= int(refused["retry-after-ms"]) <= 60_000
    error = replies[2].error
    assert (error["type"], error["code"], error["param"]) == ("requests", "rate_limit_exceeded", None)
    assert re.fullmatch(
        r"The key 'alice' has reached its limit of 2 requests per minute \(2 used\): try again in \d\d s, or raise "
        r"'rpm' on the server's machine with 'gglib key limit alice --rpm N'\.",
        error["message"],
    )


async def test_each_dialect_has_its_form() -> None:
    """Anthropic's type and headers, Ollama's body."""
    async with (
        engine_running(respond) as engine,
        proxy_running(runtime_for(engine), options=options_of(alice=KeyLimits(rpm=1, tpm=1000))) as proxy,
    ):
        paths = (CHAT, MESSAGES, "/api/chat", "/v1/responses")
        replies = {
            path: await ask(proxy.port, path=path, body=chat_body(max_tokens=9), headers=bearer("alice"))
            for path in paths
        }
    assert [reply.status for reply in replies.values()] == [200, 429, 429, 429]
    message = replies[MESSAGES]
    assert message.json()["error"]["type"] == "rate_limit_error"
    headers = limit_headers(message)
    reset = headers.pop("anthropic-ratelimit-requests-reset")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", reset)
    assert headers["anthropic-ratelimit-requests-limit"] == "1"
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["anthropic-ratelimit-tokens-limit"] == "1000"
    assert headers["anthropic-ratelimit-tokens-remaining"] == "985"
    assert not any(name.startswith("x-ratelimit") for name in headers)
    ollama = replies["/api/chat"]
    assert list(ollama.json()) == ["error"]
    assert "try again in" in ollama.json()["error"]
    assert limit_headers(ollama)["x-ratelimit-limit-requests"] == "1"
    assert replies["/v1/responses"].error["code"] == "rate_limit_exceeded"


async def test_only_what_reaches_an_engine_counts() -> None:
    """Lists show the headers, too; counting tokens is a request without tokens."""

    async def script(exchange: Exchange) -> None:
        await exchange.write(json_answer({"input_tokens": 77}))

    async with (
        engine_running(script) as engine,
        proxy_running(runtime_for(engine), options=options_of(alice=KeyLimits(rpm=2, tpm=100))) as proxy,
    ):
        for _ in range(3):
            listed = await ask(proxy.port, "GET", "/v1/models", headers=bearer("alice"))
            assert listed.status == 200
            assert limit_headers(listed)["x-ratelimit-remaining-requests"] == "2"
        counted = await ask(
            proxy.port, path=f"{MESSAGES}/count_tokens", body=chat_body(), headers=bearer("alice")
        )
        assert counted.status == 200
        use = await used_by(proxy.port, "alice")
    assert (use["requests"], use["tokens"], use["reserved_tokens"], use["running"]) == (1, 0, 0, 0)


async def test_only_requests_that_use_tokens_are_refused_by_their_limit() -> None:
    """A client can still count its prompt, and its embeddings need not leave room for a completion."""

    async def script(exchange: Exchange) -> None:
        await exchange.write(json_answer({"data": [], "usage": {"prompt_tokens": 60, "total_tokens": 60}}))

    async with (
        engine_running(script) as engine,
        proxy_running(runtime_for(engine), options=options_of(alice=KeyLimits(tpm=100))) as proxy,
    ):
        body = chat_body(input="x")
        paths = ("/v1/embeddings", "/v1/embeddings", "/v1/embeddings", f"{MESSAGES}/count_tokens")
        statuses = [
            (await ask(proxy.port, path=path, body=body, headers=bearer("alice"))).status for path in paths
        ]
    assert statuses == [200, 200, 429, 200]


async def test_tokens_are_reserved_and_then_counted() -> None:
    """A body that arrives after its head is read for the estimate, and forwarded unchanged."""
    goes_on = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await goes_on.wait()
        await exchange.write(completion(prompt=40, tokens=20))

    body = chat_body(max_tokens=50)
    async with (
        engine_running(script) as engine,
        proxy_running(runtime_for(engine), options=options_of(alice=KeyLimits(tpm=100))) as proxy,
        await connect(proxy.port) as client,
    ):
        length = ("Content-Length", str(len(body)))
        await client.send(headers=(*bearer("alice"), length))
        await asyncio.sleep(0)
        client.writer.write(body)
        await until(lambda: bool(engine.exchanges))
        assert engine.exchanges[0].body == body
        use = await used_by(proxy.port, "alice")
        assert (use["running"], use["reserved_tokens"]) == (1, len(body) // 3 + 50)
        refused = await ask(proxy.port, body=body, headers=bearer("alice"))
        assert (refused.status, refused.error["type"]) == (429, "tokens")
        goes_on.set()
        reply = await client.read_reply()
        assert reply.status == 200
        assert limit_headers(reply)["x-ratelimit-remaining-tokens"] == str(100 - len(body) // 3 - 50)
        use = await used_by(proxy.port, "alice")
        assert (use["running"], use["reserved_tokens"], use["tokens"]) == (0, 0, 60)
        assert (await ask(proxy.port, body=chat_body(max_tokens=1), headers=bearer("alice"))).status == 200


async def hang(exchange: Exchange) -> None:
    """Begin a stream and never end it."""
    await exchange.write(SSE_HEAD + chunked(b'data: {"n":1}\n\n', b'data: {"n":2}\n\n'))
    await exchange.peer_left()


async def crash(exchange: Exchange) -> None:
    """Break off in mid-stream."""
    await exchange.write(SSE_HEAD + chunked(b'data: {"n":1}\n\n'))
    exchange.abort()


async def refuse(exchange: Exchange) -> None:
    """Send an error."""
    await exchange.write(json_answer({"error": {"message": "no", "code": 400}}, b"400 Bad Request"))


@pytest.mark.parametrize("script", [hang, crash, refuse])
async def test_a_request_that_fails_is_released(script: Callable[[Exchange], Awaitable[None]]) -> None:
    """Client, engine or error: nothing stays reserved. A stream that breaks off counts what was sent of it."""
    async with (
        engine_running(script) as engine,
        proxy_running(
            runtime_for(engine), options=options_of(alice=KeyLimits(tpm=1000, parallel=1))
        ) as proxy,
        await connect(proxy.port) as client,
    ):
        body = chat_body(stream=True, max_tokens=9)
        await client.send(body=body, headers=bearer("alice"))
        await client.read_until(b"\r\n\r\n")
        if script is hang:
            await client.read_until(b'"n":2}')
            refused = await ask(proxy.port, body=body, headers=bearer("alice"))
            assert refused.status == 429
            assert "limit of 1 request at once (1 used)" in refused.error["message"]
            assert limit_headers(refused)["retry-after"] == "1"
            client.leave()
        use: dict[str, Any] = {"running": 1}
        while use["running"]:
            use = await used_by(proxy.port, "alice")
        assert use["reserved_tokens"] == 0
        assert use["tokens"] == 0 if script is refuse else use["tokens"] > len(body) // 3


async def test_a_refused_body_is_not_read() -> None:
    """The response does not wait for it."""
    async with (
        engine_running(respond) as engine,
        proxy_running(runtime_for(engine), options=options_of(alice=KeyLimits(rpm=1, tpm=10_000))) as proxy,
        await connect(proxy.port) as client,
    ):
        assert (await ask(proxy.port, body=chat_body(), headers=bearer("alice"))).status == 200
        await client.send(headers=(*bearer("alice"), ("Content-Length", "5000000")))
        reply = await client.read_reply()
    assert (reply.status, reply.error["type"]) == (429, "requests")


async def test_a_client_that_leaves_early_used_its_prompt() -> None:
    """Without a stream nothing was sent, but the engine has computed."""

    async def script(exchange: Exchange) -> None:
        await exchange.peer_left()

    async with (
        engine_running(script) as engine,
        proxy_running(runtime_for(engine), options=options_of(alice=KeyLimits(tpm=10_000))) as proxy,
        await connect(proxy.port) as client,
    ):
        body = chat_body()
        await client.send(body=body, headers=bearer("alice"))
        await until(lambda: bool(engine.exchanges))
        client.leave()
        use: dict[str, Any] = {"running": 1}
        while use["running"]:
            use = await used_by(proxy.port, "alice")
    assert (use["tokens"], use["reserved_tokens"]) == (len(body) // 3, 0)


async def test_requests_end_when_the_server_stops() -> None:
    """The shared state has no request in progress for the next call of ``serve``."""
    shared = SharedState()
    options = options_of(alice=KeyLimits(parallel=1))
    async with (
        engine_running(hang) as engine,
        proxy_running(runtime_for(engine), options=options, shared=shared) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True), headers=bearer("alice"))
        await client.read_until(b'"n":2}')
        await proxy.stop()
    async with (
        engine_running(respond) as engine,
        proxy_running(runtime_for(engine), options=options, shared=shared) as proxy,
    ):
        assert (await ask(proxy.port, body=chat_body(), headers=bearer("alice"))).status == 200


async def test_two_listeners_count_together() -> None:
    """The second port of a server is no way around a limit."""
    shared, options = SharedState(), options_of(alice=KeyLimits(rpm=3))
    async with (
        engine_running(respond) as engine,
        proxy_running(runtime_for(engine), options=options, shared=shared) as one,
        proxy_running(runtime_for(engine), options=options, shared=shared) as two,
    ):
        replies = [
            await ask(proxy.port, body=chat_body(), headers=bearer("alice"))
            for proxy in (one, two, one, two, one)
        ]
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]


async def test_limits_are_replaced_on_an_open_connection() -> None:
    """What was used counts against the new limit; without a limit there are no headers."""
    options = LiveOptions(options_of(alice=KeyLimits()))
    async with (
        engine_running(respond) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
        await connect(proxy.port) as client,
    ):
        statuses = []
        for limits in (KeyLimits(), KeyLimits(rpm=1), None, KeyLimits(rpm=2), None, KeyLimits()):
            if limits is not None:
                options.replace(options_of(alice=limits))
            await client.send(body=chat_body(), headers=bearer("alice"), is_last=False)
            reply = await client.read_reply()
            statuses.append(reply.status)
            assert bool(limit_headers(reply)) == (limits != KeyLimits())
        assert statuses == [200, 200, 429, 200, 429, 200]


class RecentUse(FakeHistory):
    """A history that was written before the start."""

    def __init__(self, uses: tuple[KeyUse, ...], *, fails: bool) -> None:
        super().__init__()
        self._uses = uses
        self._fails = fails
        self.since_s: list[float] = []

    async def recent_use(self, since_s: float) -> tuple[KeyUse, ...]:
        """Return what was used."""
        self.since_s.append(since_s)
        if self._fails:
            raise HistoryError("The history cannot be read.")
        return self._uses


@pytest.mark.parametrize("fails", [False, True])
async def test_the_last_minute_before_a_restart_counts(
    caplog: pytest.LogCaptureFixture, *, fails: bool
) -> None:
    """Once for all listeners. Without the history nothing is used."""
    now_s = time.time()
    use = KeyUse(key="alice", started_at_s=now_s - 3, ended_at_s=now_s - 2, tokens=70)
    history = RecentUse((use,), fails=fails)
    shared, options = SharedState(), options_of(alice=KeyLimits(rpm=2, tpm=100))
    async with (
        engine_running(respond) as engine,
        proxy_running(runtime_for(engine), options=options, shared=shared, history=history) as one,
        proxy_running(runtime_for(engine), options=options, shared=shared, history=history) as two,
    ):
        use_before = [await used_by(proxy.port, "alice") for proxy in (one, two)]
    assert [(use["requests"], use["tokens"]) for use in use_before] == [(0, 0) if fails else (1, 70)] * 2
    assert len(history.since_s) == 1
    assert now_s - 60 <= history.since_s[0] <= time.time() - 60
    assert ("is not known: The history cannot be read." in caplog.text) == fails


@pytest.mark.parametrize("remaining", [{"bob": "SECRET-of-bob"}, {"alice": "SECRET-of-other"}, {}])
async def test_a_stream_of_a_revoked_key_ends_with_an_error(remaining: dict[str, str]) -> None:
    """Also if its name has another key now, and if no key is required any more. gglib's own key stays."""
    keys = {"alice": "SECRET-of-alice", "bob": "SECRET-of-bob", LOCAL_KEY_NAME: "SECRET-of-local"}
    options = LiveOptions(ProxyOptions(api_keys=keys))
    own = {LOCAL_KEY_NAME: keys[LOCAL_KEY_NAME]} if remaining else {}
    async with (
        engine_running(hang) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
        await connect(proxy.port) as revoked,
        await connect(proxy.port) as local,
    ):
        for name, client in (("alice", revoked), (LOCAL_KEY_NAME, local)):
            await client.send(body=chat_body(stream=True), headers=bearer(name))
            await client.read_until(b'"n":2}')
        options.replace(replace(options.current, api_keys={**remaining, **own}))
        rest = await revoked.read_until(b"0\r\n\r\n")
        assert b'"code":"invalid_api_key"' in rest
        assert b"was revoked while the request was in progress" in rest
        assert b"[DONE]" not in rest
        await until(lambda: engine.open == 1)
        assert not local.reader.at_eof()


async def test_the_official_client_waits_as_long_as_it_is_told() -> None:
    """It raises ``RateLimitError``, and retries after ``retry-after-ms``."""
    goes_on = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await goes_on.wait()
        await exchange.write(completion())

    async with (
        engine_running(script) as engine,
        proxy_running(runtime_for(engine), options=options_of(alice=KeyLimits(parallel=1))) as proxy,
        openai.AsyncOpenAI(
            base_url=f"http://127.0.0.1:{proxy.port}/v1", api_key="SECRET-of-alice", max_retries=20
        ) as client,
    ):
        messages: Any = [{"role": "user", "content": "hi"}]
        first = asyncio.create_task(client.chat.completions.create(model="tiny", messages=messages))
        await until(lambda: bool(engine.exchanges))
        with pytest.raises(openai.RateLimitError) as refused:
            await client.with_options(max_retries=0).chat.completions.create(model="tiny", messages=messages)
        assert refused.value.code == "rate_limit_exceeded"
        waits, calculate = [], client._calculate_retry_timeout

        def quickly(*arguments: Any) -> float:
            waits.append(calculate(*arguments))
            goes_on.set()
            return 0.01

        client._calculate_retry_timeout = quickly  # type: ignore[method-assign,assignment]
        answer = await client.chat.completions.create(model="tiny", messages=messages)
        assert answer.choices[0].message.content == "hi"
        await first
    assert waits[0] == 1.0  # the expected duration of the first request


@dataclass
class CountingEngine:
    """Counts the requests in progress by the key, which the clients repeat in the body."""

    running: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    is_bob_at_his_limit: asyncio.Event = field(default_factory=asyncio.Event)

    async def respond(self, exchange: Exchange) -> None:
        """Respond in a later iteration of the loop; to bob after three of his requests have been here at once."""
        name = json.loads(exchange.body)["user"]
        self.running[name] += 1
        self.most[name] = max(self.most[name], self.running[name])
        if self.running["bob"] == 3:
            self.is_bob_at_his_limit.set()
        if name == "bob":
            await self.is_bob_at_his_limit.wait()
        await asyncio.sleep(0)
        self.running[name] -= 1
        self.served[name] += 1
        await exchange.write(completion(prompt=10, tokens=5))


async def test_fifty_clients_with_three_keys_stay_within_their_limits() -> None:
    """Exactly: as many as allowed, and not one more."""
    limits = {
        "alice": KeyLimits(rpm=37),
        "bob": KeyLimits(rpm=90, parallel=3),
        "carol": KeyLimits(tpm=1000, parallel=8),
    }
    counts, engine_counts = Counter[tuple[str, int]](), CountingEngine()

    async def run_client(port: int, name: str) -> None:
        async with await connect(port) as client:
            for _ in range(20):
                body = chat_body(user=name, max_tokens=5)
                await client.send(body=body, headers=bearer(name), is_last=False)
                reply = await client.read_reply()
                counts[name, reply.status] += 1

    async with (
        engine_running(engine_counts.respond) as engine,
        proxy_running(runtime_for(engine), options=options_of(**limits)) as proxy,
    ):
        names = [list(limits)[number % 3] for number in range(CLIENTS)]
        await asyncio.gather(*(run_client(proxy.port, name) for name in names))
        await run_client(proxy.port, "carol")  # alone: requests at once reserve tokens from one another
        uses = {name: await used_by(proxy.port, name) for name in limits}
    assert {status for _, status in counts} == {200, 429}
    assert sum(counts.values()) == (CLIENTS + 1) * 20
    assert {name: counts[name, 200] for name in limits} == dict(engine_counts.served)
    assert counts["alice", 200] == 37
    assert counts["bob", 200] <= 90
    assert engine_counts.most["bob"] == 3
    assert engine_counts.most["carol"] <= 8
    reserved = len(chat_body(user="carol", max_tokens=5)) // 3 + 5
    assert 1000 - reserved < 15 * counts["carol", 200] <= 1000
    assert uses["carol"]["tokens"] == 15 * counts["carol", 200]
    assert all(use["running"] == use["reserved_tokens"] == 0 for use in uses.values())
