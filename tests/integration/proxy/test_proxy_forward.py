"""Requests and responses are relayed byte for byte."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import until

from gglib.core.errors import ModelLoadingError
from gglib.core.models import ModelSummary, RunningTarget
from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, FakeRuntime

from .support import (
    CHAT,
    MODEL,
    SSE_HEAD,
    Exchange,
    ask,
    chat_body,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

EVENTS = (
    b'data: {"choices":[{"delta":{"content":"h\xc3\xa9"}}]}\n\n',
    b": a comment\r\n\r\n",
    b'data: {"choices":[]}\n\ndata: [DONE]\n\n',
)


async def answer_ok(exchange: Exchange) -> None:
    """Send a small JSON object as the response to any request."""
    await exchange.write(json_answer({"ok": True}))


@pytest.mark.parametrize(
    "body",
    [
        chat_body(),
        b'\n\t{ "messages" : [ ] ,"model":"tiny"\r\n,  "x" : "caf\xc3\xa9 \\u00e9 \\ud83d\\ude00 \xf0\x9f\x98\x80"} \n',
        b'{"x":1,"x":2,"model":"\\u0074iny","big":1e999,"deep":[[[[{}]]]],"n":1.000}',
        chat_body(filler="é" * 2_500_000),
    ],
    ids=["plain", "odd spacing", "odd values", "5 MB"],
)
async def test_body_reaches_the_engine_byte_for_byte(body: bytes) -> None:
    """The engine receives exactly the bytes that the client sent."""
    async with engine_running(answer_ok) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=body)
    assert reply.status == 200
    assert engine.exchanges[0].body == body


async def test_chunked_body_reaches_the_engine_whole() -> None:
    """A chunked body is forwarded with a Content-Length and the same bytes."""
    body = chat_body(filler="x" * 1000)
    framed = chunked(body[:7], body[7:500], body[500:]) + b"0\r\n\r\n"
    async with engine_running(answer_ok) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=framed, headers=(("Transfer-Encoding", "chunked"),))
    assert reply.status == 200
    assert engine.exchanges[0].body == body
    assert engine.exchanges[0].values("content-length") == [str(len(body))]
    assert engine.exchanges[0].values("transfer-encoding") == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/messages?beta=true",
        "/v1/messages/count_tokens",
        "/v1/rerank",
        "/v1/chat/completions/input_tokens",
        "/completion",
        "/completions",
        "/infill",
        "/embedding",
        "/embeddings",
        "/tokenize",
        "/detokenize",
        "/apply-template",
        "/rerank?x=1",
    ],
)
async def test_known_paths_reach_the_engine_with_their_query(path: str) -> None:
    """Each path that the engine serves is forwarded with its query string, those for ranks in one spelling."""
    async with engine_running(answer_ok) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=path, body=chat_body())
    assert reply.json() == {"ok": True}
    expected = path.replace("/rerank", "/v1/rerank") if path.startswith("/rerank") else path
    assert [(seen.method, seen.path) for seen in engine.exchanges] == [("POST", expected)]


@pytest.mark.parametrize(
    ("path", "served"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("//v1//chat/completions/?a=//b/", "/v1/chat/completions?a=//b/"),
        ("/v1/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("//embeddings/", "/embeddings"),
    ],
)
async def test_a_misspelled_path_reaches_the_engine_as_its_route(path: str, served: str) -> None:
    """The engine receives the route's own spelling and the unchanged query; the metrics count the route."""
    async with engine_running(answer_ok) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, path=path, body=chat_body())
        metrics = (await ask(proxy.port, "GET", "/metrics")).body.decode()
    assert reply.json() == {"ok": True}
    assert [seen.path for seen in engine.exchanges] == [served]
    assert f'route="{served.partition("?")[0]}"' in metrics


async def test_an_unknown_path_names_the_base_url() -> None:
    """The error states the base URL for clients, with the address of this request."""
    async with proxy_running(FakeRuntime()) as proxy:
        host = f"localhost:{proxy.port}"
        reply = await ask(
            proxy.port, path="/api/v1/chat/completions", body=chat_body(), headers=(("Host", host),)
        )
    assert reply.status == 404
    assert f"http://{host}/v1 for OpenAI's clients" in reply.error["message"]


async def test_headers_of_the_client_are_filtered() -> None:
    """No secret, no hop-by-hop header and no header listed in Connection reaches the engine; all others do."""
    sent = (
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
        ("Authorization", "Bearer secret"),
        ("X-Api-Key", "secret"),
        ("Cookie", "a=secret"),
        ("Origin", "http://localhost:3000"),
        ("Prefer", "wait=9"),
        ("TE", "trailers"),
        ("Proxy-Authorization", "secret"),
        ("Content-Type", "application/json"),
        ("anthropic-version", "2023-06-01"),
        ("X-Request-Id", "mine-1"),
    )
    async with engine_running(answer_ok) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body(), headers=sent)
    assert reply.values("x-request-id") == ["mine-1"]
    assert sorted(engine.exchanges[0].headers) == [
        ("anthropic-version", "2023-06-01"),
        ("content-length", str(len(chat_body()))),
        ("content-type", "application/json"),
        ("host", f"127.0.0.1:{engine.port}"),
        ("x-request-id", "mine-1"),
    ]


@pytest.mark.parametrize("fields", [{}, {"num_ctx": 100_000}, {"num_ctx": 16}, {"stream": True}])
async def test_each_answer_says_what_context_holds(fields: dict[str, Any]) -> None:
    """The header occurs once and states the engine's context, whatever was requested: no truncation is silent."""

    async def answer(exchange: Exchange) -> None:
        if "stream" in fields:
            await exchange.write(SSE_HEAD + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        else:
            await exchange.write(json_answer({}))

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(
            proxy.port, body=chat_body(**fields), headers=(("Origin", "http://localhost:3000"),)
        )
    assert reply.values("x-gglib-context") == ["4096"]
    (exposed,) = reply.values("access-control-expose-headers")
    assert "x-gglib-context" in exposed


async def test_an_error_of_the_engine_says_what_context_holds() -> None:
    """An error response states the context as well, since a client needs it most then."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(
            json_answer({"error": {"message": "no", "type": "invalid_request_error"}}, b"400 Bad Request")
        )

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body())
    assert reply.status == 400
    assert reply.values("x-gglib-context") == ["4096"]


async def test_an_error_without_an_engine_names_no_context_of_one_that_was_gone() -> None:
    """The first target is gone, and the second admission fails: the response states no context."""

    class Runtime(FakeRuntime):
        async def ensure_model_running(
            self, model_name: str, num_ctx: int | None, default_ctx: int
        ) -> RunningTarget:
            target = await super().ensure_model_running(model_name, num_ctx, default_ctx)
            self.fails_with = ModelLoadingError(model_name, 1.0)
            return target

    with socket.socket() as gone:  # bound and not listening: connections are refused
        gone.bind(("127.0.0.1", 0))
        target = RunningTarget.local(gone.getsockname()[1], MODEL.id, MODEL.name, 4096)
        async with proxy_running(Runtime({MODEL.name: target})) as proxy:
            reply = await ask(proxy.port, body=chat_body())
    assert (reply.status, reply.error["code"]) == (503, "model_loading")
    assert reply.values("x-gglib-context") == []


async def test_a_limit_that_the_engine_would_misread_reaches_it_corrected() -> None:
    """The corrected limit is forwarded with the matching Content-Length, however the body was framed."""
    body = chat_body(max_tokens=2**40, n_predict=-2)
    async with engine_running(answer_ok) as engine, proxy_running(runtime_for(engine)) as proxy:
        assert (await ask(proxy.port, body=body)).status == 200
    assert engine.exchanges[0].body == chat_body(max_tokens=2**31 - 1, n_predict=-1)
    assert engine.exchanges[0].values("content-length") == [str(len(engine.exchanges[0].body))]


async def test_headers_of_the_engine_are_filtered() -> None:
    """Connection headers of the engine are removed; all others are relayed once."""

    async def answer(exchange: Exchange) -> None:
        extra = (
            b"Server: llama.cpp\r\nDate: yesterday\r\nAccess-Control-Allow-Origin: *\r\nKeep-Alive: timeout=5\r\n"
            b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-Kept: yes\r\nX-Request-Id: theirs\r\n"
            b"Content-Type: text/plain\r\n"
        )
        await exchange.write(json_answer({}, extra=extra))

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body(), headers=(("X-Request-Id", "mine"),))
    named = [name for name, _ in reply.headers]
    assert sorted(named) == [
        "connection",
        "content-length",
        "content-type",
        "date",
        "x-gglib-context",
        "x-kept",
        "x-request-id",
    ]
    assert reply.values("content-type") == ["application/json"]
    assert reply.values("x-request-id") == ["mine"]
    assert reply.values("connection") == ["close"]


@pytest.mark.parametrize(
    ("engine_error", "expected"),
    [
        (
            {
                "error": {
                    "code": 400,
                    "message": "too long",
                    "type": "exceed_context_size_error",
                    "n_ctx": 4096,
                }
            },
            {
                "message": "too long; the maximum context length is 4096 tokens as the model is loaded "
                "(context_length_exceeded): "
                "shorten the request, send 'num_ctx': 8192 with it, or run 'gglib set tiny --ctx 8192'.",
                "type": "exceed_context_size_error",
                "code": "context_length_exceeded",
                "n_ctx": 4096,
            },
        ),
        (
            {"error": {"code": 501, "message": "no", "type": "not_supported_error"}},
            {"message": "no", "type": "not_supported_error", "code": None},
        ),
        (
            {"error": {"code": "busy", "message": "no", "type": "t"}},
            {"message": "no", "type": "t", "code": "busy"},
        ),
    ],
)
async def test_engine_errors_are_translated_to_the_error_format_of_the_api(
    engine_error: dict[str, object], expected: dict[str, object]
) -> None:
    """A numeric code becomes the word that clients check, or null; also before a stream. The status is kept."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer(engine_error, status=b"400 Bad Request"))

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        for body in (chat_body(), chat_body(stream=True)):
            reply = await ask(proxy.port, body=body)
            assert (reply.status, reply.json()) == (400, {"error": {**expected, "param": None}})


async def test_what_is_no_error_of_the_engine_comes_back_as_it_is() -> None:
    """A status of 400 or above with another body is relayed byte for byte."""
    engine_error = {"detail": [1, 2]}

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer(engine_error, status=b"404 Not Found"))

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body())
        assert (reply.status, reply.json()) == (404, engine_error)


async def test_stream_comes_back_byte_for_byte_with_the_headers_of_a_stream() -> None:
    """An event stream has each of its headers once, and its bytes are unchanged."""

    async def answer(exchange: Exchange) -> None:
        head = SSE_HEAD.replace(b"\r\n\r\n", b"\r\nCache-Control: private\r\n\r\n")
        await exchange.write(head + chunked(*EVENTS) + b"0\r\n\r\n")

    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True), is_last=False)
        reply = await client.read_reply()
    assert reply.is_whole
    assert reply.body == b"".join(EVENTS)
    for name, value in (
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache"),
        ("connection", "keep-alive"),
        ("x-accel-buffering", "no"),
        ("transfer-encoding", "chunked"),
    ):
        assert reply.values(name) == [value]
    assert reply.values("content-length") == []


async def test_a_response_to_connection_close_has_no_keep_alive() -> None:
    """The response to a request with ``Connection: close`` has only ``Connection: close``."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(*EVENTS) + b"0\r\n\r\n")

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body(stream=True))
    assert reply.values("connection") == ["close"]


async def test_every_split_of_a_stream_gives_the_same_bytes() -> None:
    """Wherever TCP splits the engine's response, the client receives the same bytes."""
    whole = SSE_HEAD + chunked(*EVENTS) + b"0\r\n\r\n"
    cuts = iter(range(1, len(whole)))

    async def answer(exchange: Exchange) -> None:
        cut = next(cuts)
        await exchange.write(whole[:cut])
        await until(lambda: exchange.writer.transport.get_write_buffer_size() == 0)
        await asyncio.sleep(0)
        await exchange.write(whole[cut:])

    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        for _ in range(1, len(whole)):
            await client.send(body=chat_body(stream=True), is_last=False)
            reply = await client.read_reply()
            assert (reply.body, reply.is_whole) == (b"".join(EVENTS), True)
    assert len(engine.exchanges) == len(whole) - 1


async def test_each_part_leaves_at_once() -> None:
    """The client receives the first event before the engine has sent the second."""
    first_was_seen = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(EVENTS[0]))
        await first_was_seen.wait()
        await exchange.write(chunked(EVENTS[2]) + b"0\r\n\r\n")

    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True))
        await client.read_until(EVENTS[0])
        first_was_seen.set()
        await client.read_until(EVENTS[2])


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + json_answer({"a": 1}),
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"a": 1}',
        b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"a": 1}',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
        + chunked(b'{"a"', b": 1}")
        + b"0\r\nX-Trailer: 1\r\n\r\n",
    ],
    ids=["interim heads", "until the end", "HTTP/1.0", "chunks with a trailer"],
)
async def test_every_framing_of_an_answer_is_understood(raw: bytes) -> None:
    """With every framing of the engine, the client receives a complete response."""

    async def answer(exchange: Exchange) -> None:
        exchange.writer.write(raw)
        exchange.writer.close()

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body())
    assert (reply.status, reply.body, reply.is_whole) == (200, b'{"a": 1}', True)
    assert reply.values("link") == []
    assert reply.values("x-trailer") == []


async def test_answer_without_a_body_is_relayed() -> None:
    """A 204 ends without a body, and the connection stays open."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        for _ in range(2):
            await client.send(body=chat_body(), is_last=False)
            assert (await client.read_reply()).status == 204


async def test_engine_on_a_unix_socket_is_sent_its_key(tmp_path: Path) -> None:
    """A target on a unix socket is used with its key; the address is sent as Host."""
    path = str(tmp_path / "engine.sock")
    async with engine_running(answer_ok, unix_socket=path) as engine:
        target = RunningTarget(
            base_url="http://engine.internal",
            model_id=1,
            model_name="tiny",
            effective_ctx=1,
            unix_socket=path,
            bearer_key="k3y",
        )
        async with proxy_running(FakeRuntime({"tiny": target})) as proxy:
            sent = (("Authorization", "Bearer client"),)
            reply = await ask(proxy.port, body=chat_body(), headers=sent)
    assert reply.status == 200
    assert engine.exchanges[0].values("authorization") == ["Bearer k3y"]
    assert engine.exchanges[0].values("host") == ["engine.internal"]


async def test_admission_is_asked_with_the_models_own_name_and_the_requests_wishes() -> None:
    """The runtime receives the catalogue's name, the requested and default context, the wait and the request id."""
    catalog = FakeCatalog([ModelSummary(id=7, name="tiny", aliases=("gpt-x",))])
    async with (
        engine_running(answer_ok) as engine,
        proxy_running(runtime_for(engine), catalog, default_ctx=512) as proxy,
    ):
        asked = (("X-Request-Id", "r1"), ("Prefer", "respond-async, wait=3"))
        await ask(proxy.port, body=chat_body(model="GPT-X", num_ctx=9000), headers=asked)
        await ask(proxy.port, body=chat_body(model="7"), headers=(("Prefer", "wait=100000"),))
    first, second = proxy.runtime.admitted
    assert (first.model_name, first.num_ctx, first.default_ctx) == ("tiny", 9000, 512)
    assert (first.wait_s, first.request_id) == (3, "r1")
    assert (second.model_name, second.num_ctx, second.wait_s) == ("tiny", None, 600)
    assert second.request_id.startswith("req_")
    assert proxy.runtime.holds == 0


@pytest.mark.parametrize("sent", ["", "white space", "x" * 129, "caf\xe9"])
async def test_insane_request_id_is_replaced(sent: str) -> None:
    """An id that cannot be logged on one line is replaced by a generated one, also upstream."""
    async with engine_running(answer_ok) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body(), headers=(("X-Request-Id", sent),))
    (given,) = reply.values("x-request-id")
    assert given.startswith("req_")
    assert engine.exchanges[0].values("x-request-id") == [given]


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Two requests in one segment get their two responses in order."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({"n": json.loads(exchange.body)["n"]}))

    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        for n in range(2):
            await client.send(path=CHAT, body=chat_body(n=n), is_last=False)
        assert [(await client.read_reply()).json()["n"] for _ in range(2)] == [0, 1]
    assert MODEL.name == proxy.runtime.admitted[0].model_name


async def test_fields_that_control_the_engine_need_to_be_allowed() -> None:
    """An engine field is refused unless the setting allows it; then the body is forwarded unchanged."""
    body = b'{"model":"tiny","id_slot":1}'
    async with engine_running(answer_ok) as engine:
        async with proxy_running(runtime_for(engine)) as proxy:
            refused = await ask(proxy.port, body=body)
        options = ProxyOptions(allowed_engine_fields=frozenset(("id_slot",)))
        async with proxy_running(runtime_for(engine), options=options) as proxy:
            served = await ask(proxy.port, body=body)
    assert (refused.status, json.loads(refused.body)["error"]["param"]) == (400, "id_slot")
    assert served.status == 200
    assert [exchange.body for exchange in engine.exchanges] == [body]


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip", ""])
async def test_compressed_body_is_refused_before_a_model_is_asked_for(encoding: str) -> None:
    """A compressed body is refused: gglib cannot check it in the form that the engine would read."""
    async with engine_running(answer_ok) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body(), headers=(("Content-Encoding", encoding),))
        assert (reply.status, reply.error["code"]) == (415, "unsupported_encoding")
        same = await ask(proxy.port, body=chat_body(), headers=(("Content-Encoding", "Identity"),))
        assert same.status == 200
    assert len(engine.exchanges) == 1
