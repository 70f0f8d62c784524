"""OpenAI's Responses over sockets: translated requests, whole responses, streams and heartbeats."""

import asyncio
import json
from typing import Any

import openai
import pytest
from openai.types.responses import Response

from gglib.core.profiles import Profile
from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, FakeRuntime

from .support import (
    MODEL,
    SSE_HEAD,
    Exchange,
    ask,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

PATH, COUNT_PATH, CHAT_PATH = "/v1/responses", "/v1/responses/input_tokens", "/v1/chat/completions"
CHAT = {
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
    "created": 7,
    "model": "tiny",
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}


def event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    """Return an event of the engine's chat."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"choices": [choice], "created": 7, "model": "tiny"}).encode() + b"\n\n"


STREAM = event({"content": "he"}) + event({"content": "llo"}) + event({}, "stop") + b"data: [DONE]\n\n"


async def chat(exchange: Exchange) -> None:
    """Respond as the engine does to a chat."""
    if json.loads(exchange.body).get("stream"):
        await exchange.write(
            SSE_HEAD + chunked(*(STREAM[n : n + 7] for n in range(0, len(STREAM), 7))) + b"0\r\n\r\n"
        )
    else:
        await exchange.write(json_answer(CHAT))


def body_of(**fields: Any) -> bytes:
    """Return a request body."""
    return json.dumps({"model": "tiny", "input": "hi", **fields}).encode()


@pytest.mark.parametrize("path", [PATH, "/responses", f"{PATH}?x=1"])
@pytest.mark.parametrize("padding", [0, 100_000], ids=["short", "long"])
async def test_a_response(path: str, padding: int) -> None:
    """The engine gets a chat; the client a complete response, for short and for long requests."""
    async with engine_running(chat) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=path, body=body_of(input="x" * (padding + 2)))
    (seen,) = engine.exchanges
    assert seen.path == CHAT_PATH
    assert json.loads(seen.body)["messages"] == [{"role": "user", "content": "x" * (padding + 2)}]
    response = Response.model_validate(reply.json())
    assert (reply.status, response.output_text, response.status) == (200, "hello", "completed")
    assert response.id == f"resp_{reply.values('x-request-id')[0]}"
    assert reply.values("content-type") == ["application/json"]


async def test_the_official_client_reads_a_stream() -> None:
    """However the engine's stream is split."""
    async with engine_running(chat) as engine, proxy_running(runtime_for(engine)) as proxy:
        client = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{proxy.port}/v1", api_key="x", max_retries=0)
        async with client.responses.stream(model="tiny", input="hi") as stream:
            final = await stream.get_final_response()
        await client.close()
    assert final.output_text == "hello"


async def test_heartbeats_come_before_the_first_event() -> None:
    """A request that waits for its model gets comments, then the stream."""
    async with engine_running(chat) as engine:
        runtime = FakeRuntime({MODEL.name: engine.target}, gate=asyncio.Event())
        assert runtime.gate is not None
        async with (
            proxy_running(runtime, options=ProxyOptions(heartbeat_s=0.02)) as proxy,
            await connect(proxy.port) as client,
        ):
            await client.send(path=PATH, body=body_of(stream=True))
            await client.read_until(b":\n\n\r\n")
            runtime.gate.set()
            rest = await client.reader.read()
    assert b"event: response.created\n" in rest
    assert b"event: response.completed\n" in rest


async def test_input_tokens() -> None:
    """The engine counts the tokens of the chat."""

    async def count(exchange: Exchange) -> None:
        await exchange.write(json_answer({"object": "response.input_tokens", "input_tokens": 9}))

    async with engine_running(count) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=COUNT_PATH, body=body_of())
    assert [seen.path for seen in engine.exchanges] == [f"{CHAT_PATH}/input_tokens"]
    assert reply.json() == {"object": "response.input_tokens", "input_tokens": 9}


@pytest.mark.parametrize(
    ("body", "headers", "status", "param"),
    [
        (body_of(previous_response_id="r"), (), 400, "previous_response_id"),
        (b'{"model":"tiny","input":"hi","model":"a"}', (), 400, "model"),
        (b'{"model":', (), 400, None),
        (
            body_of(text={"format": {"type": "json_schema", "schema": {"enum": list(range(5000))}}}),
            (),
            400,
            "text",
        ),
        (body_of(id_slot=1), (), 400, "id_slot"),
        (body_of(), (("Content-Encoding", "gzip"),), 415, None),
    ],
)
async def test_what_is_refused(
    body: bytes, headers: tuple[tuple[str, str], ...], status: int, param: str | None
) -> None:
    """Before a model is loaded; the error names the client's field."""
    runtime = FakeRuntime()
    async with proxy_running(runtime) as proxy:
        reply = await ask(proxy.port, path=PATH, body=body, headers=headers)
    assert (reply.status, reply.error["param"], runtime.admitted) == (status, param, [])


async def test_a_profile_applies() -> None:
    """Its system prompt and defaults are those of the chat."""
    catalog = FakeCatalog([MODEL])
    profile = Profile(name="brief", system="Be brief.", defaults={"temperature": 0.2})
    await catalog.edit_profile(profile.name, None, lambda _: profile)
    async with (
        engine_running(chat) as engine,
        proxy_running(runtime_for(engine), catalog, profiles=catalog) as proxy,
    ):
        reply = await ask(proxy.port, path=PATH, body=body_of(model="tiny:brief"))
    sent = json.loads(engine.exchanges[0].body)
    assert (reply.status, sent["temperature"]) == (200, 0.2)
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


async def test_a_truncated_stream_is_an_error() -> None:
    """An engine that ends without a finish reason never completes a response."""

    async def truncate(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(event({"content": "a"})) + b"0\r\n\r\n")

    async with engine_running(truncate) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=PATH, body=body_of(stream=True))
    assert (reply.status, reply.is_whole) == (200, True)
    assert b"event: response.failed\n" in reply.body
    assert b"response.completed" not in reply.body


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_of_another_form_is_a_502(*, stream: bool) -> None:
    """A body that is not a chat is an error of the engine."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({"ok": True}))

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=PATH, body=body_of(stream=stream))
    assert (reply.status, reply.error["type"]) == (502, "upstream_error")
