"""Embeddings over sockets: batches under one lease, and errors of any batch."""

import asyncio
import json

import pytest

from gglib.proxy import ProxyOptions
from gglib.testing import FakeRuntime

from .support import MODEL, Exchange, ask, connect, engine_running, json_answer, proxy_running, runtime_for

PATH = "/v1/embeddings"
ERROR = {"error": {"code": 400, "message": "input is bad", "type": "invalid_request_error"}}


def vectors(exchange: Exchange) -> dict[str, object]:
    """Return the engine's response: for each input, its number as a vector."""
    inputs = json.loads(exchange.body)["input"]
    data = [
        {"embedding": [float(text), 0.0], "index": n, "object": "embedding"} for n, text in enumerate(inputs)
    ]
    usage = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
    return {"model": "tiny", "object": "list", "usage": usage, "data": data}


def body_of(count: int, **fields: object) -> bytes:
    """Return a request with numbered inputs."""
    return json.dumps({"model": "tiny", "input": [str(n) for n in range(count)], **fields}).encode()


async def embed(exchange: Exchange) -> None:
    """Respond with vectors."""
    await exchange.write(json_answer(vectors(exchange)))


async def test_a_small_request_is_forwarded_as_it_is() -> None:
    """Byte for byte, in both directions."""
    async with engine_running(embed) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=PATH, body=body_of(64))
    assert [seen.body for seen in engine.exchanges] == [body_of(64)]
    assert reply.body == json.dumps(vectors(engine.exchanges[0])).encode()


async def test_2048_inputs_are_one_response_under_one_lease() -> None:
    """The batches go to the engine one after the other."""
    in_flight = 0

    async def one_at_a_time(exchange: Exchange) -> None:
        nonlocal in_flight
        in_flight += 1
        assert in_flight == 1
        await asyncio.sleep(0)
        in_flight -= 1
        await embed(exchange)

    async with engine_running(one_at_a_time) as engine:
        runtime = runtime_for(engine)
        async with proxy_running(runtime) as proxy:
            reply = await ask(proxy.port, path=PATH, body=body_of(2048))
    assert [len(json.loads(seen.body)["input"]) for seen in engine.exchanges] == [64] * 32
    assert (reply.status, len(runtime.admitted), runtime.holds) == (200, 1, 0)
    assert [(entry["index"], entry["embedding"][0]) for entry in reply.json()["data"]] == [
        (n, float(n)) for n in range(2048)
    ]
    assert reply.json()["usage"] == {"prompt_tokens": 2048, "total_tokens": 2048}
    assert reply.values("x-gglib-context") == ["4096"]


async def test_an_error_of_a_batch_ends_the_request() -> None:
    """Nothing more is sent to the engine, and the client gets the error."""

    async def fail_second(exchange: Exchange) -> None:
        await exchange.write(
            json_answer(ERROR, b"400 Bad Request") if second() else json_answer(vectors(exchange))
        )

    def second() -> bool:
        return len(engine.exchanges) == 2

    async with engine_running(fail_second) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=PATH, body=body_of(300))
    assert (reply.status, reply.error["message"], len(engine.exchanges)) == (400, "input is bad", 2)


async def test_an_engine_that_dies_between_batches() -> None:
    """The response has not begun, so the client gets a status."""

    async def die_later(exchange: Exchange) -> None:
        if len(engine.exchanges) == 2:
            exchange.abort()
        else:
            await embed(exchange)

    async with engine_running(die_later) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=PATH, body=body_of(300))
    assert (reply.status, reply.error["type"]) == (502, "upstream_error")


@pytest.mark.parametrize(
    ("fields", "param", "admitted"),
    [
        ({"dimensions": 0}, "dimensions", 0),
        ({"dimensions": 3}, "dimensions", 1),
        ({"dimensions": 1}, None, 1),
    ],
)
async def test_dimensions(fields: dict[str, object], param: str | None, admitted: int) -> None:
    """Invalid ones are refused before the load, too many with the response of the engine."""
    async with engine_running(embed) as engine:
        runtime = runtime_for(engine)
        async with proxy_running(runtime) as proxy:
            reply = await ask(proxy.port, path=PATH, body=body_of(2, **fields))
    assert len(runtime.admitted) == admitted
    if param is None:
        assert [entry["embedding"] for entry in reply.json()["data"]] == [[0.0], [1.0]]
    else:
        assert (reply.status, reply.error["param"]) == (400, param)


async def test_a_response_that_is_not_the_engines_is_a_502() -> None:
    """A body of another form is an error of the engine."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({"ok": True}))

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=PATH, body=body_of(2, dimensions=1))
    assert (reply.status, reply.error["type"]) == (502, "upstream_error")


async def test_a_client_that_asks_for_a_stream_while_the_model_loads() -> None:
    """Embeddings have no stream: after heartbeats of one, the error is an event."""
    async with engine_running(embed) as engine:
        runtime = FakeRuntime({MODEL.name: engine.target}, gate=asyncio.Event())
        assert runtime.gate is not None
        async with (
            proxy_running(runtime, options=ProxyOptions(heartbeat_s=0.02)) as proxy,
            await connect(proxy.port) as client,
        ):
            await client.send(path=PATH, body=body_of(300, stream=True))
            await client.read_until(b":\n\n\r\n")
            runtime.gate.set()
            rest = await client.reader.read()
    assert b"leave out 'stream'" in rest
