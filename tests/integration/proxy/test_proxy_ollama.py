"""Ollama's API over real sockets: chats and prompts, in streams and whole, and their failures."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.ollama import checked, checked_lines
from tests.support.waiting import until

from gglib.core.errors import ModelLoadFailedError, QueueFullError
from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.core.profiles import Profile
from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, FakeRuntime

from .support import (
    SSE_HEAD,
    Client,
    Exchange,
    Reply,
    ask,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

CHAT, GENERATE, EMBED = "/api/chat", "/api/generate", "/api/embed"
IMPATIENT = ProxyOptions(heartbeat_s=0.02)
REST = b'"created":1,"id":"chatcmpl-x","model":"tiny","object":"chat.completion.chunk"'
TIMINGS = b'"timings":{"prompt_n":3,"cache_n":4,"prompt_ms":1.5,"predicted_n":2,"predicted_ms":2.5}'
HELLO = b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Goo"}}],' + REST + b"}\n\n"
REST_OF_TEXT = HELLO.replace(b"Goo", b'd \\"you\\"')
END = (
    b'data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],'
    + REST
    + b","
    + TIMINGS
    + b"}\n\ndata: [DONE]\n\n"
)
WHOLE = SSE_HEAD + chunked(HELLO, REST_OF_TEXT, END) + b"0\r\n\r\n"


def body(**fields: Any) -> bytes:
    """Return the body of a chat, which is valid as a prompt, too."""
    messages = [{"role": "user", "content": "hi"}]
    return json.dumps({"model": "tiny:latest", "messages": messages, "prompt": "hi", **fields}).encode()


def engine_that(*raw: bytes) -> Callable[[Exchange], Any]:
    """Return a script that sends the next of these responses to each request, and closes the connection."""
    responses = list(raw)

    async def answer(exchange: Exchange) -> None:
        await exchange.write(responses.pop(0) if len(responses) > 1 else responses[0])
        exchange.writer.close()

    return answer


def error_of(reply: Reply) -> str:
    """Return the error of a complete response."""
    assert reply.values("content-type") == ["application/json"]
    text: str = checked("error", reply.body)["error"]
    return text


def final_error_of(stream: bytes, kind: str = "chat") -> str:
    """Return the error in the last line of a stream; all other lines must be complete."""
    assert stream.endswith(b"\n")
    *lines, last = stream.splitlines()
    for line in lines:
        checked(f"{kind}_line", line)
    text: str = checked("error", last)["error"]
    return text


async def test_a_streamed_chat() -> None:
    """The engine gets OpenAI's body at OpenAI's path; the client gets lines, each at once."""
    released = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(HELLO))
        await released.wait()
        await exchange.write(chunked(REST_OF_TEXT, END) + b"0\r\n\r\n")

    async with engine_running(script) as engine, proxy_running(runtime_for(engine)) as proxy:
        async with await connect(proxy.port) as client:
            await client.send(
                "POST", CHAT, body=body(options={"num_ctx": 512, "temperature": 0}, keep_alive="5m")
            )
            head = await client.read_until(b"\r\n\r\n")
            chunks = client.chunks()
            first = await anext(chunks)
            released.set()
            rest = b"".join([part async for part in chunks])
        lease = proxy.runtime.admitted[0]
    assert b"content-type: application/x-ndjson\r\n" in head
    assert b"x-accel-buffering: no\r\n" in head
    assert checked("chat_line", first)["message"]["content"] == "Goo"
    _, second, end = checked_lines("chat", first + rest)
    assert second["message"]["content"] == 'd "you"'
    assert (end["model"], end["prompt_eval_count"], end["eval_count"]) == ("tiny:latest", 7, 2)
    (exchange,) = engine.exchanges
    assert exchange.path == "/v1/chat/completions"
    assert json.loads(exchange.body) == {
        "model": "tiny:latest",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "num_ctx": 512,
        "temperature": 0,
    }
    assert (lease.num_ctx, lease.keep_alive_s) == (512, 300)


async def test_a_whole_chat_and_a_whole_prompt() -> None:
    """With their content type and length."""
    message = {"role": "assistant", "content": "Hello"}
    answer = {
        "choices": [{"finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    async with (
        engine_running(engine_that(json_answer(answer))) as engine,
        proxy_running(runtime_for(engine)) as proxy,
    ):
        chat = await ask(proxy.port, path=CHAT, body=body(stream=False))
        prompt = await ask(proxy.port, path=GENERATE, body=body(stream=False))
    assert checked("chat_end", chat.body)["message"]["content"] == "Hello"
    assert checked("generate_end", prompt.body)["response"] == "Hello"
    assert chat.values("content-type") == ["application/json"]
    assert chat.values("content-length") == [str(len(chat.body))]
    assert chat.values("x-gglib-context") == ["4096"]


async def test_raw_prompts_and_infills_have_their_own_paths() -> None:
    """The engine's own format, streamed."""
    events = (
        b'data: {"index":0,"content":"x","stop":false}\n\n',
        b'data: {"index":0,"content":"","stop":true,"stop_type":"eos",' + TIMINGS + b"}\n\n",
    )
    stream = SSE_HEAD + chunked(*events) + b"0\r\n\r\n"
    async with engine_running(engine_that(stream)) as engine, proxy_running(runtime_for(engine)) as proxy:
        raw = await ask(proxy.port, path=GENERATE, body=body(raw=True))
        infill = await ask(proxy.port, path=GENERATE, body=body(suffix="y"))
    for reply in (raw, infill):
        assert checked_lines("generate", reply.body)[0]["response"] == "x"
    assert [exchange.path for exchange in engine.exchanges] == ["/completion", "/infill"]


async def test_a_model_without_a_template_completes_prompts() -> None:
    """A base model has no chat."""
    base = ModelSummary(id=1, name="tiny", paths=(Path("/x.gguf"),))
    chatty = ModelSummary(
        id=1, name="tiny", paths=(Path("/x.gguf"),), capabilities=ModelCapabilities(chat=True)
    )
    answer = json_answer({"content": "x", "stop": True, "stop_type": "eos"})
    async with engine_running(engine_that(answer)) as engine:
        for model, path in ((base, "/completion"), (chatty, "/v1/chat/completions")):
            async with proxy_running(runtime_for(engine), FakeCatalog([model])) as proxy:
                await ask(proxy.port, path=GENERATE, body=body(stream=False))
            assert engine.exchanges[-1].path == path


async def test_heartbeats_are_complete_lines() -> None:
    """While the model loads; then the stream continues."""
    gate = asyncio.Event()
    async with engine_running(engine_that(WHOLE)) as engine:
        runtime = FakeRuntime({"tiny": engine.target}, gate=gate)
        async with proxy_running(runtime, options=IMPATIENT) as proxy, await connect(proxy.port) as client:
            await client.send("POST", CHAT, body=body())
            await client.read_until(b"\r\n\r\n")
            chunks = client.chunks()
            beats = [await anext(chunks) for _ in range(3)]
            gate.set()
            rest = b"".join([part async for part in chunks])
    for beat in beats:
        assert checked("chat_line", beat)["message"]["content"] == ""
    checked_lines("chat", b"".join(beats) + rest)


@pytest.mark.parametrize("path", [CHAT, GENERATE])
async def test_a_late_failed_load(path: str) -> None:
    """After heartbeats the error is a line."""
    gate = asyncio.Event()
    runtime = FakeRuntime(gate=gate, fails_with=ModelLoadFailedError("tiny", "it is broken"))
    async with proxy_running(runtime, options=IMPATIENT) as proxy, await connect(proxy.port) as client:
        lines = await lines_after(client, path, gate.set)
    assert "it is broken" in final_error_of(lines, path.removeprefix("/api/"))


async def lines_after(client: Client, path: str, act: Callable[[], None], **fields: Any) -> bytes:
    """Return the lines of a stream; ``act`` is called after the first."""
    await client.send("POST", path, body=body(**fields))
    assert (await client.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    chunks = client.chunks()
    first = await anext(chunks)
    act()
    return first + b"".join([part async for part in chunks])


async def test_errors_before_the_stream() -> None:
    """A proper status, for streams, too."""
    overflow = {
        "code": 400,
        "message": "too long",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9,
        "n_ctx": 8,
    }
    refused = json_answer({"error": overflow}, b"400 Bad Request")
    async with engine_running(engine_that(refused)) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=CHAT, body=body())
        unknown = await ask(proxy.port, path=CHAT, body=body(model="nope"))
        invalid = await ask(proxy.port, path=CHAT, body=b"{")
    assert (reply.status, error_of(reply)[:8]) == (400, "too long")
    assert (unknown.status, "'nope'" in error_of(unknown)) == (404, True)
    assert (invalid.status, "not valid JSON" in error_of(invalid)) == (400, True)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (SSE_HEAD + chunked(HELLO), "closed the connection"),
        (SSE_HEAD + chunked(HELLO, HELLO[:60]), "closed the connection"),
        (SSE_HEAD + chunked(HELLO) + b"0\r\n\r\n", "ended its response early"),
        (
            SSE_HEAD + chunked(HELLO, b'data: {"error":{"message":"boom","code":500}}\n\n') + b"0\r\n\r\n",
            "boom",
        ),
    ],
)
async def test_a_stream_that_fails(raw: bytes, message: str) -> None:
    """What arrived is delivered, then a line with the error."""
    async with engine_running(engine_that(raw)) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=CHAT, body=body())
    assert message in final_error_of(reply.body)
    assert checked("chat_line", reply.body.splitlines()[0])["message"]["content"] == "Goo"


async def test_a_stall_and_a_shutdown() -> None:
    """Both end the stream with an error line."""

    async def script(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(HELLO))
        await exchange.peer_left()

    async with engine_running(script) as engine:
        stalling = ProxyOptions(chunk_gap_s=0.1)
        async with proxy_running(runtime_for(engine), options=stalling) as proxy:
            stalled = await ask(proxy.port, path=CHAT, body=body())
        async with proxy_running(runtime_for(engine)) as proxy, await connect(proxy.port) as client:
            stopped = await lines_after(client, CHAT, proxy.cancel.set)
    assert (stalled.status, stalled.is_whole) == (200, True)
    assert "0.1 s" in final_error_of(stalled.body)
    assert "shutting down" in final_error_of(stopped)


async def test_a_client_that_leaves_closes_the_engines_connection() -> None:
    """At once."""
    left = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(HELLO))
        await exchange.peer_left()
        left.set()

    async with engine_running(script) as engine, proxy_running(runtime_for(engine)) as proxy:
        async with await connect(proxy.port) as client:
            await client.send("POST", CHAT, body=body())
            await client.read_until(b"\n")
        async with asyncio.timeout(10):
            await left.wait()
        await until(lambda: proxy.runtime.holds == 0)


async def test_a_response_of_another_form() -> None:
    """502, not an internal error."""
    async with (
        engine_running(engine_that(json_answer({"x": 1}))) as engine,
        proxy_running(runtime_for(engine)) as proxy,
    ):
        reply = await ask(proxy.port, path=CHAT, body=body(stream=False))
    assert (reply.status, error_of(reply)) == (502, "The engine's response has an unknown form.")


@pytest.mark.parametrize(
    ("path", "kind", "fields"),
    [
        (CHAT, "chat", {"messages": []}),
        (GENERATE, "generate", {"prompt": ""}),
        (CHAT, "chat", {"messages": None}),
    ],
)
async def test_loading(path: str, kind: str, fields: dict[str, Any]) -> None:
    """A request without content loads the model, with its context and time-to-live."""
    async with engine_running(engine_that(WHOLE)) as engine, proxy_running(runtime_for(engine)) as proxy:
        streamed = await ask(
            proxy.port, path=path, body=body(**fields, keep_alive=-1, options={"num_ctx": 64})
        )
        whole = await ask(proxy.port, path=path, body=body(**fields, stream=False))
        leases = proxy.runtime.admitted
    assert streamed.values("content-type") == ["application/x-ndjson"]
    assert checked(f"{kind}_load", streamed.body)["done_reason"] == "load"
    assert checked(f"{kind}_load", whole.body)["done_reason"] == "load"
    assert [(lease.num_ctx, lease.keep_alive_s) for lease in leases] == [(64, float("inf")), (None, None)]
    assert engine.exchanges == []


async def test_unloading() -> None:
    """A model that is not in memory is not loaded for it."""
    async with engine_running(engine_that(WHOLE)) as engine, proxy_running(runtime_for(engine)) as proxy:
        cold = await ask(proxy.port, path=GENERATE, body=body(prompt="", keep_alive=0))
        assert proxy.runtime.admitted == []
        await ask(proxy.port, path=GENERATE, body=body(prompt=""))
        warm = await ask(proxy.port, path=GENERATE, body=body(prompt="", keep_alive=0))
        leases = proxy.runtime.admitted
    assert [checked("generate_load", reply.body)["done_reason"] for reply in (cold, warm)] == [
        "unload",
        "unload",
    ]
    assert [lease.keep_alive_s for lease in leases] == [None, 0]


async def test_a_load_that_fails() -> None:
    """A proper status, or a line after heartbeats."""
    async with proxy_running(FakeRuntime(fails_with=QueueFullError(1000, 3))) as proxy:
        reply = await ask(proxy.port, path=CHAT, body=body(messages=[]))
        unknown = await ask(proxy.port, path=CHAT, body=body(model="nope", messages=[]))
    assert (reply.status, reply.values("retry-after")) == (503, ["3"])
    assert error_of(reply)
    assert (unknown.status, "nope" in error_of(unknown)) == (404, True)
    gate = asyncio.Event()
    runtime = FakeRuntime(gate=gate, fails_with=ModelLoadFailedError("tiny", "it is broken"))
    async with proxy_running(runtime, options=IMPATIENT) as proxy, await connect(proxy.port) as client:
        lines = await lines_after(client, GENERATE, gate.set, prompt="")
    assert "it is broken" in final_error_of(lines, "generate")


async def test_profiles_by_their_bare_name() -> None:
    """``/api/create`` makes them; ``model:profile:latest`` is one, too."""
    catalog = FakeCatalog([ModelSummary(id=1, name="tiny")])
    await catalog.edit_profile("mario", 1, lambda _: Profile(name="mario", model_id=1, system="Be Mario."))
    async with (
        engine_running(engine_that(WHOLE)) as engine,
        proxy_running(runtime_for(engine), catalog, profiles=catalog) as proxy,
    ):
        for name in ("mario", "mario:latest", "tiny:mario", "tiny:mario:latest"):
            reply = await ask(proxy.port, path=CHAT, body=body(model=name))
            assert checked_lines("chat", reply.body)[-1]["model"] == name
        unknown = await ask(proxy.port, path=CHAT, body=body(model="luigi"))
        load = await ask(proxy.port, path=CHAT, body=body(model="mario", messages=[]))
    for exchange in engine.exchanges:
        assert json.loads(exchange.body)["messages"][0] == {"role": "system", "content": "Be Mario."}
    assert unknown.status == 404
    assert load.status == 200


async def test_a_large_body() -> None:
    """Parsed in a thread; everything arrives."""
    async with (
        engine_running(engine_that(WHOLE), limit=2**24) as engine,
        proxy_running(runtime_for(engine)) as proxy,
    ):
        image = "iVBORw0KGgo" + "A" * 2_000_000
        messages = [{"role": "user", "content": "x", "images": [image]}]
        reply = await ask(proxy.port, path=CHAT, body=body(messages=messages))
    assert reply.status == 200
    (message,) = json.loads(engine.exchanges[0].body)["messages"]
    assert message["content"][1]["image_url"]["url"].endswith(image)


async def test_the_checks_of_other_dialects() -> None:
    """A schema that would block the engine, a compressed body, a key."""
    costly = {"enum": [f"value{number}" for number in range(20_000)]}
    async with engine_running(engine_that(WHOLE)) as engine, proxy_running(runtime_for(engine)) as proxy:
        schema = await ask(
            proxy.port, path=CHAT, body=body(format={"type": "object", "properties": {"a": costly}})
        )
        encoded = await ask(proxy.port, path=CHAT, body=body(), headers=(("Content-Encoding", "gzip"),))
    assert (schema.status, "block other requests" in error_of(schema)) == (400, True)
    assert encoded.status == 415
    assert engine.exchanges == []
    async with proxy_running(FakeRuntime(), options=ProxyOptions(api_keys={"a": "secret"})) as proxy:
        reply = await ask(proxy.port, path=CHAT, body=body())
    assert (reply.status, "API key" in error_of(reply)) == (401, True)
