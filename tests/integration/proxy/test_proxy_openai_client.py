"""The official OpenAI client against the proxy."""

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest

from gglib.core.errors import ModelLoadFailedError
from gglib.proxy import ProxyOptions
from gglib.testing import FakeRuntime

from .support import (
    SSE_HEAD,
    Engine,
    Exchange,
    chunked,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

COMPLETION = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "tiny",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "héllo"}}],
}


def delta(text: str) -> bytes:
    """Return one event of a chat stream."""
    return (
        b'data: {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"tiny",'
        b'"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % text.encode()
    )


async def converse(exchange: Exchange) -> None:
    """Respond as an engine does; the prompt for death aborts in mid-stream."""
    if b'"stream":true' not in exchange.body.replace(b" ", b""):
        await exchange.write(json_answer(COMPLETION))
        return
    await exchange.write(SSE_HEAD + chunked(delta("hé"), delta("llo")))
    if b"die" in exchange.body:
        exchange.writer.close()
        return
    await exchange.write(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """Run an engine with the ``converse`` script."""
    async with engine_running(converse) as running:
        yield running


def client_of(port: int) -> openai.AsyncOpenAI:
    """Return a client that does not retry."""
    return openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="secret", max_retries=0)


async def test_conversation(engine: Engine) -> None:
    """The client accepts models, a response and a stream; its key is not forwarded to the engine."""
    async with proxy_running(runtime_for(engine)) as proxy, client_of(proxy.port) as client:
        assert [model.id async for model in client.models.list()] == ["tiny"]
        assert (await client.models.retrieve("tiny")).owned_by == "gglib"
        answer = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}]
        )
        assert answer.choices[0].message.content == "héllo"
        stream = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        assert "".join([part.choices[0].delta.content or "" async for part in stream]) == "héllo"
    assert not [exchange for exchange in engine.exchanges if exchange.values("authorization")]


async def test_heartbeats_are_invisible(engine: Engine) -> None:
    """Comments before the first event are invisible in the client's stream."""
    runtime = runtime_for(engine)
    runtime.gate = asyncio.Event()
    options = ProxyOptions(heartbeat_s=0.01)
    async with proxy_running(runtime, options=options) as proxy, client_of(proxy.port) as client:
        stream = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}], stream=True
        )  # returns with the head, that is after the first heartbeat
        runtime.gate.set()
        assert "".join([part.choices[0].delta.content or "" async for part in stream]) == "héllo"


async def test_death_in_mid_stream_is_raised(engine: Engine) -> None:
    """The client raises an error after the received part; an aborted stream never looks complete."""
    texts: list[str | None] = []
    async with proxy_running(runtime_for(engine)) as proxy, client_of(proxy.port) as client:
        stream = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "die"}], stream=True
        )
        with pytest.raises(openai.APIError) as raised:
            texts.extend([part.choices[0].delta.content async for part in stream])
        assert raised.value.code == "upstream_error"


async def test_errors_have_the_clients_own_classes() -> None:
    """Status, code, param and request id are in the client's documented attributes."""
    async with proxy_running(FakeRuntime()) as proxy, client_of(proxy.port) as client:
        with pytest.raises(openai.NotFoundError) as raised:
            await client.chat.completions.create(model="tinny", messages=[])
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")
    assert (raised.value.request_id or "").startswith("req_")


async def test_failure_that_a_retry_cannot_cure_is_not_retried() -> None:
    """The client, with its default of two retries, sends one request when a load has failed."""
    runtime = FakeRuntime(fails_with=ModelLoadFailedError("tiny", "bad magic"))
    async with (
        proxy_running(runtime) as proxy,
        openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{proxy.port}/v1", api_key="x") as client,
    ):
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="tiny", messages=[])
    assert len(runtime.admitted) == 1
