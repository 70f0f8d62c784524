"""Errors have the format of the request's dialect, at every point where one can occur."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from gglib.core.errors import ModelLoadFailedError, QueueFullError
from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, FakeRuntime

from .support import (
    SSE_HEAD,
    Engine,
    Exchange,
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

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)
RELAYED = (CHAT, MESSAGES)
"""Streams that are relayed byte for byte."""
OVERFLOW = {
    "code": 400,
    "message": "too long, try increasing it",
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 9,
    "n_ctx": 8,
}
FULL = {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}
IMPATIENT = ProxyOptions(heartbeat_s=0.02)
MODEL = ModelSummary(id=1, name="tiny", trained_context=8192)

EVENTS = {
    CHAT: b'data: {"choices":[{"delta":{"content":"an error"}}]}\n\n',
    MESSAGES: b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"event: error"}}\n\n',
    RESPONSES: b'data: {"choices":[{"delta":{"content":"an error"}}]}\n\n',  # the engine's dialect: chats
}
MID_STREAM = {
    CHAT: b"data: " + json.dumps({"error": FULL}).encode() + b"\n\n",
    MESSAGES: b"event: error\ndata: " + json.dumps(FULL).encode() + b"\n\n",
    RESPONSES: b"data: " + json.dumps({"error": FULL}).encode() + b"\n\n",
}


@dataclass
class DialectError:
    """An error as a client of a dialect parses it."""

    message: str
    type_: str
    code: str | None
    error: dict[str, Any]


def error_of(path: str, reply: Reply) -> DialectError:
    """Return the error of a complete response; its format is checked."""
    assert reply.values("content-type") == ["application/json"]
    assert reply.values("request-id") == (reply.values("x-request-id") if path == MESSAGES else [])
    return read(path, reply.json(), reply)


def read(path: str, content: dict[str, Any], reply: Reply) -> DialectError:
    """Return the error of an object; its format is checked."""
    error = content["error"]
    if path == MESSAGES:
        assert list(content) == ["type", "error", "request_id"]
        assert content["type"] == "error"
        assert [content["request_id"]] == reply.values("x-request-id")
        assert list(error)[:2] == ["type", "message"]
        assert set(error) <= {"type", "message", "n_prompt_tokens", "n_ctx"}
        return DialectError(error["message"], error["type"], None, error)
    assert list(error)[:4] == ["message", "type", "param", "code"]
    assert error["code"] is None or isinstance(error["code"], str)
    return DialectError(error["message"], error["type"], error["code"], error)


def events_of(body: bytes) -> list[tuple[str | None, dict[str, Any]]]:
    """Return name and data of each event, as Anthropic's client decodes them; comments are skipped."""
    events: list[tuple[str | None, dict[str, Any]]] = []
    for block in body.decode().split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            fields = dict(line.split(": ", 1) for line in lines)
            assert set(fields) <= {"event", "data"}
            events.append((fields.get("event"), json.loads(fields["data"])))
    assert body.endswith(b"\n\n")
    return events


def final_error_of(path: str, reply: Reply, *, arrived: bytes = b"") -> DialectError:
    """Return the error at the end of a stream; it must occur once and in the dialect's format."""
    assert (reply.status, reply.is_whole) == (200, True)
    body = reply.body.replace(b":\n\n", b"")
    if path == RESPONSES and arrived:
        arrived = body[: body.index(b"event: error\n")]
        assert b'"delta":"an error"' in arrived
    assert body.startswith(arrived)
    assert b"[DONE]" not in body
    events = events_of(body[len(arrived) :])
    if path == CHAT:
        ((name, content),) = events
        assert (name, set(content)) == (None, {"error"})
    elif path == MESSAGES:
        ((name, content),) = events
        assert name == "error"
    else:
        (name, content), (end, failed) = events
        assert (name, content["type"], end, failed["type"]) == (
            "error",
            "error",
            "response.failed",
            "response.failed",
        )
        assert failed["sequence_number"] == content["sequence_number"] + 1
        assert failed["response"]["status"] == "failed"
        assert failed["response"]["error"] == {"code": content["code"], "message": content["message"]}
        assert (content["message"], content["param"]) == (
            content["error"]["message"],
            content["error"]["param"],
        )
        assert content["code"] in {content["error"]["code"], content["error"]["type"]}
    return read(path, content, reply)


def body_for(*, stream: bool, model: str = "tiny") -> bytes:
    """Return a body that is valid in every dialect."""
    return chat_body(model=model, stream=stream, max_tokens=9, input="hi")


def engine_that(raw: bytes) -> Callable[[Exchange], Any]:
    """Return a script that sends these bytes and closes the connection."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(raw)
        exchange.writer.close()

    return answer


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_unknown_model_and_a_full_queue(path: str, stream: bool) -> None:  # noqa: FBT001 - a case
    """Errors of gglib before the head are complete responses in the dialect."""
    async with proxy_running(FakeRuntime(fails_with=QueueFullError(1000, 3))) as proxy:
        unknown = await ask(proxy.port, path=path, body=body_for(stream=stream, model="nope"))
        full = await ask(proxy.port, path=path, body=body_for(stream=stream))
    client_error = error_of(path, unknown)
    expected = ("not_found_error", None) if path == MESSAGES else ("invalid_request_error", "model_not_found")
    assert (unknown.status, client_error.type_, client_error.code) == (404, *expected)
    client_error = error_of(path, full)
    expected = ("overloaded_error", None) if path == MESSAGES else ("server_error", "queue_full")
    assert (full.status, full.values("retry-after"), client_error.type_, client_error.code) == (
        503,
        ["3"],
        *expected,
    )


@pytest.mark.parametrize("path", [CHAT, MESSAGES, "/v1/messages/count_tokens", RESPONSES])
@pytest.mark.parametrize(
    ("method", "suffix", "headers", "status", "anthropics"),
    [
        ("POST", "/unknown", (), 404, "not_found_error"),
        ("GET", "", (), 405, "invalid_request_error"),
        ("POST", "", (("Host", "evil.example"),), 403, "permission_error"),
        ("POST", "", (("Origin", "https://evil.example"),), 403, "permission_error"),
        ("POST", "", (("Content-Encoding", "gzip"),), 415, "invalid_request_error"),
        ("POST", "", (("Content-Length", "99999999"),), 413, "request_too_large"),
        ("POST", "", (("Expect", "much"),), 417, "invalid_request_error"),
        ("POST", "", (("Transfer-Encoding", "gzip"),), 501, "api_error"),
        ("POST", "", (("Bad header", "x"),), 400, "invalid_request_error"),
    ],
)
async def test_what_is_refused_before_it_is_looked_at(  # noqa: PLR0917 - cases
    path: str, method: str, suffix: str, headers: tuple[tuple[str, str], ...], status: int, anthropics: str
) -> None:
    """The path alone selects the format, also for unknown paths and for bytes that are not HTTP."""
    dialect = MESSAGES if path.startswith(MESSAGES) else path
    async with proxy_running(FakeRuntime()) as proxy:
        reply = await ask(proxy.port, method, path + suffix, body=b"{}", headers=headers)
    client_error = error_of(dialect, reply)
    assert reply.status == status
    assert client_error.type_ == (anthropics if dialect == MESSAGES else "invalid_request_error")


@pytest.mark.parametrize("path", PATHS)
async def test_a_missing_key(path: str) -> None:
    """A request without a key gets a 401 in the dialect."""
    async with proxy_running(FakeRuntime(), options=ProxyOptions(api_keys={"a": "secret"})) as proxy:
        reply = await ask(proxy.port, path=path, body=body_for(stream=False))
    expected = "authentication_error" if path == MESSAGES else "invalid_request_error"
    assert (reply.status, error_of(path, reply).type_) == (401, expected)


@pytest.mark.parametrize("path", PATHS)
async def test_a_load_that_fails_after_heartbeats(path: str) -> None:
    """A late failure is sent as an event that makes the dialect's client raise an error."""
    runtime = FakeRuntime(gate=asyncio.Event(), fails_with=ModelLoadFailedError("tiny", "bad magic"))
    assert runtime.gate is not None
    async with proxy_running(runtime, options=IMPATIENT) as proxy, await connect(proxy.port) as client:
        await client.send(path=path, body=body_for(stream=True))
        head = await client.read_until(b":\n\n\r\n")
        runtime.gate.set()
        rest = await client.reader.read()
    request_id = head.partition(b"x-request-id: ")[2].partition(b"\r\n")[0].decode()
    event = rest.replace(b"3\r\n:\n\n\r\n", b"").split(b"\r\n")[1]
    client_error = final_error_of(path, Reply(200, [("x-request-id", request_id)], event, is_whole=True))
    assert "bad magic" in client_error.message
    assert client_error.type_ == ("api_error" if path == MESSAGES else "server_error")


@pytest.mark.parametrize("path", PATHS)
async def test_an_engine_that_dies_in_the_middle(path: str) -> None:
    """The received bytes are relayed, even half an event, followed by the error in the dialect."""
    arrived = EVENTS[path] + b"data: half"
    raw = SSE_HEAD + chunked(arrived)
    async with engine_running(engine_that(raw)) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=path, body=body_for(stream=True))
    client_error = final_error_of(path, reply, arrived=arrived + b"\n\n")
    assert client_error.type_ == ("api_error" if path == MESSAGES else "upstream_error")


@pytest.mark.parametrize("path", PATHS)
async def test_an_engine_that_stalls_in_the_middle(path: str) -> None:
    """The chunk gap timeout ends the stream with an error in the dialect."""

    async def stall(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(EVENTS[path]))
        await exchange.peer_left()

    options = ProxyOptions(chunk_gap_s=0.05)
    async with engine_running(stall) as engine, proxy_running(runtime_for(engine), options=options) as proxy:
        with quick():
            reply = await ask(proxy.port, path=path, body=body_for(stream=True))
    client_error = final_error_of(path, reply, arrived=EVENTS[path])
    assert client_error.type_ == ("timeout_error" if path == MESSAGES else "upstream_error")


@pytest.mark.parametrize("path", PATHS)
async def test_a_shutdown_in_the_middle(path: str) -> None:
    """Open streams end with a shutdown error in the dialect."""

    async def go_on(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(EVENTS[path]))
        await exchange.peer_left()

    async with (
        engine_running(go_on) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(path=path, body=body_for(stream=True))
        head = await client.read_until(b"\r\n\r\n")
        is_translated = path == RESPONSES
        await client.read_until(b'"sequence_number":4}\n\n\r\n' if is_translated else chunked(EVENTS[path]))
        await proxy.stop()
        rest = await client.reader.read()
    request_id = head.partition(b"x-request-id: ")[2].partition(b"\r\n")[0].decode()
    event = rest.partition(b"\r\n")[2].partition(b"\r\n")[0]
    client_error = final_error_of(path, Reply(200, [("x-request-id", request_id)], event, is_whole=True))
    assert client_error.type_ == ("overloaded_error" if path == MESSAGES else "server_error")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_overflow_before_the_head(path: str, stream: bool) -> None:  # noqa: FBT001 - a case
    """The error keeps its numbers, has the code that clients check, and says how to enlarge the context."""
    raw = json_answer({"error": OVERFLOW}, b"400 Bad Request")
    catalog = FakeCatalog([MODEL])
    async with (
        engine_running(engine_that(raw)) as engine,
        proxy_running(runtime_for(engine), catalog) as proxy,
    ):
        reply = await ask(proxy.port, path=path, body=body_for(stream=stream))
    client_error = error_of(path, reply)
    assert (reply.status, reply.values("x-should-retry")) == (400, [])
    assert (client_error.error["n_prompt_tokens"], client_error.error["n_ctx"]) == (9, 8)
    advice = (
        "shorten the request, send 'num_ctx': 16 with it, or run 'gglib set tiny --ctx 16' "
        "(the model was trained for 8192)."
    )
    if path == MESSAGES:
        assert client_error.type_ == "invalid_request_error"
        assert client_error.message == f"prompt is too long: 9 tokens > 8 maximum: {advice}"
    else:
        assert (client_error.type_, client_error.code) == (
            "exceed_context_size_error",
            "context_length_exceeded",
        )
        assert client_error.message == (
            f"too long; the maximum context length is 8 tokens as the model is loaded "
            f"(context_length_exceeded): {advice}"
        )


@pytest.mark.parametrize("path", PATHS)
async def test_a_full_cache_before_the_head_is_a_400(path: str) -> None:
    """The engine's 500 is not retried three times; the error states the context that the model runs with."""
    raw = json_answer({"error": FULL}, b"500 Internal Server Error")
    async with engine_running(engine_that(raw)) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=path, body=body_for(stream=False))
    client_error = error_of(path, reply)
    assert (reply.status, client_error.error["n_ctx"]) == (400, 4096)
    assert client_error.code == (None if path == MESSAGES else "context_length_exceeded")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_an_engines_error_in_the_middle(path: str, size: int) -> None:
    """The engine's event is not relayed: the error is translated to the dialect, however the stream was split."""
    events = EVENTS[path] + MID_STREAM[path]

    async def answer(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD)
        for begin in range(0, len(events), size):
            await exchange.write(chunked(events[begin : begin + size]))
            if size > 1:
                await asyncio.sleep(0)
        await exchange.write(b"0\r\n\r\n")

    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine), FakeCatalog([MODEL])) as proxy,
    ):
        reply = await ask(proxy.port, path=path, body=body_for(stream=True))
    client_error = final_error_of(path, reply, arrived=EVENTS[path])
    assert client_error.error["n_ctx"] == 4096
    assert "gglib set tiny --ctx 8192" in client_error.message
    if path == MESSAGES:
        assert (client_error.type_, client_error.message[:18]) == (
            "invalid_request_error",
            "prompt is too long",
        )
    else:
        assert client_error.code == "context_length_exceeded"


@pytest.mark.parametrize("path", PATHS)
async def test_an_error_as_the_first_event_is_a_status(path: str) -> None:
    """An engine that begins a stream with its error produces a proper status while nothing has been sent."""
    raw = SSE_HEAD + chunked(MID_STREAM[path]) + b"0\r\n\r\n"
    async with engine_running(engine_that(raw)) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=path, body=body_for(stream=True))
    assert reply.status == 400
    assert error_of(path, reply).error["n_ctx"] == 4096


@pytest.mark.parametrize("path", RELAYED)
@pytest.mark.parametrize("size", [1, 3, 50, 10_000])
async def test_a_stream_that_talks_of_errors_passes_byte_for_byte(path: str, size: int) -> None:
    """Text that looks like an error, comments, and a last line without an end are relayed unchanged."""
    escaped = json.dumps({"delta": 'data: {"error":{"message":"x"}}\n\nevent: error\n'}).encode()
    events = EVENTS[path] * 3 + b"data: " + escaped + b"\n\n:\n\ndata: [DONE]\n\ndata: {"

    async def answer(exchange: Exchange) -> None:
        parts = [events[begin : begin + size] for begin in range(0, len(events), size)]
        await exchange.write(SSE_HEAD + chunked(*parts) + b"0\r\n\r\n")

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=path, body=body_for(stream=True))
    assert (reply.status, reply.is_whole, reply.body) == (200, True, events)


async def test_what_was_held_back_is_delivered_when_the_engine_dies() -> None:
    """A buffered prefix of a possible error is delivered."""
    raw = SSE_HEAD + chunked(EVENTS[CHAT] + b'data: {"err')
    async with engine_running(engine_that(raw)) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=body_for(stream=True))
    final_error_of(CHAT, reply, arrived=EVENTS[CHAT] + b'data: {"err\n\n')


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_model_cannot_do_is_a_400_that_names_models_that_can(path: str, stream: bool) -> None:  # noqa: FBT001 - a case
    """An image for a text model is refused once, with the list of models that accept images."""
    message = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
    raw = json_answer({"error": {"code": 500, "message": message, "type": "server_error"}}, b"500 Oops")
    seeing = ModelSummary(id=2, name="seeing", capabilities=ModelCapabilities(vision=True))
    async with (
        engine_running(engine_that(raw)) as engine,
        proxy_running(runtime_for(engine), FakeCatalog([MODEL, seeing])) as proxy,
    ):
        reply = await ask(proxy.port, path=path, body=body_for(stream=stream))
    client_error = error_of(path, reply)
    assert (reply.status, client_error.type_) == (400, "invalid_request_error")
    assert client_error.code == (None if path == MESSAGES else "unsupported_by_model")
    assert all(
        part in client_error.message
        for part in ("'tiny'", "images", "seeing", "'gglib set tiny --mmproj FILE'")
    )


async def test_an_error_without_a_length_is_read_too() -> None:
    """A chunked error of the engine is translated; other bodies, and long ones, are relayed."""
    head = b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    detail = b'{"detail":"' + b"x" * 200_000 + b'"}'
    for body, status in ((json.dumps({"error": FULL}).encode(), 400), (b'{"detail":1}', 500), (detail, 500)):
        raw = head + chunked(body[:5], body[5:]) + b"0\r\n\r\n"
        async with engine_running(engine_that(raw)) as engine, proxy_running(runtime_for(engine)) as proxy:
            reply = await ask(proxy.port, body=body_for(stream=False))
        assert (reply.status, reply.is_whole) == (status, True)
        if status == 500:
            assert reply.body == body


@pytest.fixture
async def full_engine() -> AsyncIterator[Engine]:
    """Run an engine whose cache fills up in the middle of each response, in OpenAI's dialects."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(EVENTS[CHAT], MID_STREAM[CHAT]) + b"0\r\n\r\n")

    async with engine_running(answer) as running:
        yield running


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_openais_client_raises_in_the_middle(full_engine: Engine, path: str) -> None:
    """Chats and responses raise after the received part, with the code at which agents shorten the conversation."""
    async with proxy_running(runtime_for(full_engine)) as proxy:
        client = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{proxy.port}/v1", api_key="x", max_retries=0)
        seen = 0
        with pytest.raises(openai.APIError) as raised:  # noqa: PT012 - the parts before it are counted
            if path == CHAT:
                async for _ in await client.chat.completions.create(
                    model="tiny", messages=[{"role": "user", "content": "hi"}], stream=True
                ):
                    seen += 1
            else:
                async for _ in await client.responses.create(model="tiny", input="hi", stream=True):
                    seen += 1
        await client.close()
    assert (seen, raised.value.code) == (1 if path == CHAT else 5, "context_length_exceeded")
    assert isinstance(raised.value.body, dict)
    assert raised.value.body["n_ctx"] == 4096
