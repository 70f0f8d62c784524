"""The errors that clients receive, at every point where one can occur."""

import asyncio
import json
import logging
import re

import pytest
from tests.support.sockets import bound_socket
from tests.support.waiting import until

from gglib.core.errors import (
    CatalogError,
    EngineDiedError,
    EngineNotFoundError,
    GglibError,
    InvalidSettingError,
    ModelFileNotFoundError,
    ModelLoadFailedError,
    ModelLoadingError,
    QueueFullError,
    ShuttingDownError,
    UpstreamError,
)
from gglib.core.models import ModelSummary, RunningTarget
from gglib.proxy import ProxyOptions, SchemaLimits
from gglib.proxy.forward import RECONNECT_DELAYS_S
from gglib.testing import FakeCatalog, FakeRuntime

from .support import (
    CHAT,
    SSE_HEAD,
    Exchange,
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

IMPATIENT = ProxyOptions(heartbeat_s=0.02)
EVENT = b'data: {"n":1}\n\n'


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"not json", None),
        (b"[1]", None),
        (b'{"model":"tiny","x":NaN}', None),
        (b'{"model":"tiny","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
        (b'{"model":5}', "model"),
        (b'{"model":"a","model":"b"}', "model"),
        (b'{"model":"tiny","stream":"yes"}', "stream"),
        (b'{"model":"tiny","num_ctx":0}', "num_ctx"),
        (b'{"model":"tiny","num_ctx":"4096"}', "num_ctx"),
    ],
)
async def test_bad_body_is_refused_naming_the_field(body: bytes, param: str | None) -> None:
    """An invalid body gets a 400 that names the invalid field; the runtime is not called."""
    runtime = FakeRuntime()
    async with proxy_running(runtime) as proxy:
        reply = await ask(proxy.port, body=body)
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    assert reply.error["param"] == param
    assert runtime.admitted == []


ROWS: list[tuple[Exception, int, str, str, dict[str, str]]] = [
    (
        ModelFileNotFoundError("tiny"),
        404,
        "invalid_request_error",
        "model_file_not_found",
        {"x-should-retry": ""},
    ),
    (
        ModelLoadFailedError("tiny", "bad magic"),
        500,
        "server_error",
        "model_load_failed",
        {"x-should-retry": "false"},
    ),
    (
        EngineNotFoundError("no engine"),
        500,
        "server_error",
        "engine_not_found",
        {"x-should-retry": "false"},
    ),
    (CatalogError("broken"), 500, "server_error", "catalog_error", {"x-should-retry": "false"}),
    (GglibError("whatever"), 500, "internal_error", "internal_error", {"x-should-retry": "false"}),
    (UpstreamError("gone"), 502, "upstream_error", "upstream_error", {"x-should-retry": ""}),
    (
        EngineDiedError("m", "signal 6", was_only_request=True),
        502,
        "upstream_error",
        "upstream_error",
        {"x-should-retry": "false"},
    ),
    (
        EngineDiedError("m", "signal 6", was_only_request=False),
        502,
        "upstream_error",
        "upstream_error",
        {"x-should-retry": ""},
    ),
    (InvalidSettingError("no"), 500, "server_error", "invalid_setting", {"x-should-retry": "false"}),
    (ModelLoadingError("tiny", 7.2), 503, "server_error", "model_loading", {"retry-after": "8"}),
    (QueueFullError(9, 0.1), 503, "server_error", "queue_full", {"retry-after": "1"}),
    (ShuttingDownError("bye"), 503, "server_error", "shutting_down", {"x-should-retry": ""}),
]


@pytest.mark.parametrize(("error", "status", "type_", "code", "headers"), ROWS, ids=lambda row: str(row)[:20])
async def test_a_runtime_error_has_the_status_of_the_table(
    error: Exception, status: int, type_: str, code: str, headers: dict[str, str]
) -> None:
    """Each domain error has its status, type, code and headers, also for streams that have not begun."""
    async with proxy_running(FakeRuntime(fails_with=error)) as proxy:
        for body in (chat_body(), chat_body(stream=True)):
            reply = await ask(proxy.port, body=body, headers=(("X-Request-Id", "r-1"),))
            payload = reply.error
            assert (reply.status, payload["type"], payload["code"]) == (status, type_, code)
            assert str(error) in payload["message"]
            assert reply.values("x-request-id") == ["r-1"]
            for name, value in headers.items():
                assert reply.values(name) == ([value] if value else [])


@pytest.mark.parametrize("code", ["forbidden", "withdrawn", "shutting_down", "x\r\nset-cookie: a=b"])
async def test_an_engine_s_code_is_no_code_of_this_gglib_for_the_front_of_a_forwarded_request(
    code: str,
) -> None:
    """A front would take it for one: that the node refuses it, shuts down or gives the request back."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.write(json_answer({"error": {"message": "no", "code": code}}, b"403 Forbidden"))

    async with engine_running(refuse) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body(), headers=(("x-gglib-hop", "front-1"),))
        assert (reply.status, reply.error["code"]) == (403, code)
        assert reply.values("x-gglib-error") == ["engine_error"]
        assert reply.values("set-cookie") == []


async def test_a_request_that_ends_engines_does_not_reach_a_third_one() -> None:
    """A request that was alone in flight at two deaths is refused from then on; all other requests continue."""
    runtime = FakeRuntime(fails_with=EngineDiedError("tiny", "signal 6", was_only_request=True))
    async with proxy_running(runtime) as proxy:
        replies = [await ask(proxy.port, body=chat_body()) for _ in range(4)]
        other = await ask(proxy.port, body=chat_body(stream=True))
    assert [reply.error["code"] for reply in replies] == [
        "upstream_error",
        "upstream_error",
        "request_ended_engine",
        "request_ended_engine",
    ]
    assert all(reply.values("x-should-retry") == ["false"] for reply in replies)
    assert other.error["code"] == "upstream_error"
    assert len(runtime.admitted) == 3


async def test_a_death_with_others_in_flight_refuses_nothing_later() -> None:
    """The cause among several requests is unknown, so none is refused."""
    runtime = FakeRuntime(fails_with=EngineDiedError("tiny", "signal 6", was_only_request=False))
    async with proxy_running(runtime) as proxy:
        replies = [await ask(proxy.port, body=chat_body()) for _ in range(4)]
    assert {reply.error["code"] for reply in replies} == {"upstream_error"}


async def test_failed_load_shows_the_last_lines_of_the_log() -> None:
    """The message has the reason and up to five lines of the engine's log."""
    error = ModelLoadFailedError("tiny", "bad magic", tuple(f"line {n}" for n in range(8)))
    async with proxy_running(FakeRuntime(fails_with=error)) as proxy:
        reply = await ask(proxy.port, body=chat_body())
    assert reply.error["message"].splitlines() == [str(error), *(f"line {n}" for n in range(3, 8))]


async def test_an_unknown_model_suggests_similar_names() -> None:
    """An unknown name gets a 404 that lists similar names."""
    catalog = FakeCatalog([ModelSummary(id=1, name="smollm2-135m"), ModelSummary(id=2, name="qwen")])
    async with proxy_running(FakeRuntime(), catalog) as proxy:
        reply = await ask(proxy.port, body=chat_body(model="smollm-135m"))
    assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "model_not_found", "model")
    assert "smollm2-135m" in reply.error["message"]


async def test_a_failing_catalogue_is_reported() -> None:
    """A failure of the catalogue is reported as such, and not as an unknown model."""
    async with proxy_running(FakeRuntime(), FakeCatalog(fails_with=CatalogError("disk full"))) as proxy:
        reply = await ask(proxy.port, body=chat_body())
    assert (reply.status, reply.error["code"]) == (500, "catalog_error")


async def test_a_foreign_error_is_reported_without_detail(caplog: pytest.LogCaptureFixture) -> None:
    """An exception that is not a GglibError is logged with its traceback; the response has no detail."""
    async with proxy_running(FakeRuntime(fails_with=KeyError("/home/secret"))) as proxy:
        reply = await ask(proxy.port, body=chat_body())
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert reply.error["message"] == "Internal error"
    (record,) = [record for record in caplog.records if record.name == "gglib.proxy"]
    assert record.exc_info is not None


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        ("POST", "/v1/chat/completions/x", 404, "not_found", []),
        ("POST", "/v1/unknown", 404, "not_found", []),
        ("GET", "/complete", 404, "not_found", []),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed", ["POST"]),
        ("DELETE", "/v1/models/tiny", 405, "method_not_allowed", ["GET, HEAD"]),
        ("POST", "/health", 405, "method_not_allowed", ["GET, HEAD"]),
        ("OPTIONS", "/v1/models", 405, "method_not_allowed", ["GET, HEAD"]),
    ],
)
async def test_unknown_path_and_wrong_method_are_json(
    method: str, path: str, status: int, code: str, allow: list[str]
) -> None:
    """Unknown paths and methods get an error in the common format that names method and path."""
    async with proxy_running(FakeRuntime()) as proxy:
        reply = await ask(proxy.port, method, path, body=b"")
    assert (reply.status, reply.error["code"], reply.values("allow")) == (status, code, allow)
    assert method in reply.error["message"]
    assert path in reply.error["message"]


@pytest.mark.parametrize("is_declared", [True, False])
async def test_large_body_is_refused(is_declared: bool) -> None:  # noqa: FBT001 - a case
    """A body over the limit gets a 413, at once if its length is declared; one at the limit is accepted."""
    limit = len(chat_body())
    options = ProxyOptions(max_body_bytes=limit)
    too_large = chat_body() + b" "

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({}))

    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
        await connect(proxy.port) as client,
    ):
        if is_declared:
            await client.send(body=b"", headers=(("Content-Length", str(limit + 1)),))
        else:
            framed = chunked(too_large)
            await client.send(body=framed, headers=(("Transfer-Encoding", "chunked"),))
        reply = await client.read_reply()
        assert (reply.status, reply.error["code"]) == (413, "body_too_large")
        assert (await ask(proxy.port, body=chat_body())).status == 200


async def test_request_that_is_not_http_is_refused_in_json() -> None:
    """Bytes that are not HTTP get a 400 in the common error format, and the connection is closed."""
    async with proxy_running(FakeRuntime()) as proxy, await connect(proxy.port) as client:
        client.writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nBroken header\r\n\r\n")
        reply = await client.read_reply()
        assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
        assert await client.reader.read() == b""


async def test_engine_that_is_not_there_is_502() -> None:
    """A refused connection causes a 502, which clients may retry; the lease ends. All attempts have one deadline."""
    with bound_socket() as taken:
        port: int = taken.getsockname()[1]
    runtime = FakeRuntime({"tiny": RunningTarget.local(port, 1, "tiny", 1)})
    async with proxy_running(runtime) as proxy:
        reply = await ask(proxy.port, body=chat_body(), headers=(("Prefer", "wait=9"),))
    assert (reply.status, reply.error["code"]) == (502, "upstream_error")
    assert runtime.holds == 0
    waits_s = [lease.wait_s or 0.0 for lease in runtime.admitted]
    delays_s = [delay_s or 0.0 for delay_s in RECONNECT_DELAYS_S]
    assert all(wait_s <= 9 - sum(delays_s[:number]) + 0.01 for number, wait_s in enumerate(waits_s)), waits_s
    assert len(waits_s) == len(delays_s)


async def test_address_that_cannot_be_used_is_502() -> None:
    """A target with an unusable address gets the error of an absent one."""
    target = RunningTarget(base_url="ftp://nowhere", model_id=1, model_name="tiny", effective_ctx=1)
    async with proxy_running(FakeRuntime({"tiny": target})) as proxy:
        assert (await ask(proxy.port, body=chat_body())).status == 502


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ],
)
async def test_engine_that_dies_before_its_answer_is_502(start: bytes) -> None:
    """A response without a head causes a 502, also for a stream."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(start)
        exchange.writer.close()

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        for body in (chat_body(), chat_body(stream=True)):
            reply = await ask(proxy.port, body=body)
            assert (reply.status, reply.error["code"]) == (502, "upstream_error")
    assert proxy.runtime.holds == 0


@pytest.mark.parametrize(
    ("arrived", "event_terminator"),
    [(EVENT, b""), (b"", b""), (EVENT + b'data: {"par', b"\n\n"), (EVENT + b'data: {"n":2}\n', b"\n")],
    ids=["between events", "before the first", "inside a line", "inside an event"],
)
async def test_stream_that_dies_ends_with_one_error_event(arrived: bytes, event_terminator: bytes) -> None:
    """The received bytes are relayed, then one error event without [DONE], and the response ends cleanly."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + (chunked(arrived) if arrived else b""))
        exchange.writer.close()

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body(stream=True))
    assert (reply.status, reply.is_whole) == (200, True)
    assert reply.body.startswith(arrived + event_terminator + b'data: {"error":{')
    event = reply.body[len(arrived + event_terminator) :]
    assert event.endswith(b"\n\n")
    assert event.count(b"\n") == 2
    assert json.loads(event[6:])["error"]["code"] == "upstream_error"
    assert proxy.runtime.holds == 0


async def test_stream_with_a_length_that_dies_ends_with_an_error_event_too() -> None:
    """A Content-Length of the engine's stream leaves no room for the error event, so it is not relayed."""

    async def script(exchange: Exchange) -> None:
        await exchange.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 1000\r\n\r\n" + EVENT
        )
        exchange.writer.close()

    async with engine_running(script) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body(stream=True))
    event, error, end = reply.body.split(b"\n\n")
    assert (event + b"\n\n", end) == (EVENT, b"")
    assert json.loads(error.removeprefix(b"data: "))["error"]["code"] == UpstreamError.code


@pytest.mark.parametrize("length", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
async def test_body_that_breaks_off_is_never_shown_as_whole(length: bytes) -> None:
    """If a non-streamed response breaks off, the client's connection is closed before the end of the body."""

    async def answer(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + length + b"\r\n\r\n"
        await exchange.write(head + chunked(b'{"a":'))
        exchange.writer.close()

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        reply = await ask(proxy.port, body=chat_body())
    assert reply.status == 200
    assert not reply.is_whole
    assert b"error" not in reply.body


async def test_wait_that_is_over_before_the_first_heartbeat_is_503() -> None:
    """With ``Prefer: wait=0`` a stream that would wait gets a 503 with Retry-After."""
    runtime = FakeRuntime(gate=asyncio.Event())
    async with proxy_running(runtime) as proxy:
        with quick():
            reply = await ask(proxy.port, body=chat_body(stream=True), headers=(("Prefer", "wait=0"),))
    assert (reply.status, reply.error["code"], reply.values("retry-after")) == (503, "model_loading", ["1"])


async def test_stream_that_waits_gets_heartbeats_and_then_its_events() -> None:
    """Comments are sent while the model loads; the engine's events follow in the same response."""
    gate = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(EVENT) + b"0\r\n\r\n")

    async with engine_running(answer) as engine:
        runtime = runtime_for(engine)
        runtime.gate = gate
        async with (
            proxy_running(runtime, options=IMPATIENT) as proxy,
            await connect(proxy.port) as client,
        ):
            await client.send(body=chat_body(stream=True), is_last=False)
            head = await client.read_until(b"\r\n\r\n")
            for _ in range(3):
                assert await client.read_until(b":\n\n\r\n") == b"3\r\n:\n\n\r\n"
            gate.set()
            body = await client.read_until(b"0\r\n\r\n")
    for line in (b"200 OK", b"content-type: text/event-stream", b"cache-control: no-cache"):
        assert head.count(line) == 1
    assert body.replace(b"3\r\n:\n\n\r\n", b"") == chunked(EVENT) + b"0\r\n\r\n"


async def test_stream_whose_first_byte_is_late_gets_heartbeats() -> None:
    """Comments are sent while the engine processes a long prompt."""
    beats_were_seen = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await beats_were_seen.wait()
        await exchange.write(SSE_HEAD + chunked(EVENT) + b"0\r\n\r\n")

    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine), options=IMPATIENT) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True))
        await client.read_until(b":\n\n\r\n3\r\n:\n\n")
        beats_were_seen.set()
        assert EVENT in await client.read_until(b"0\r\n\r\n")


async def test_no_heartbeat_among_the_events() -> None:
    """Once the engine sends events, however slowly, the proxy adds no bytes to the stream."""

    async def answer(exchange: Exchange) -> None:
        loop = asyncio.get_running_loop()
        await exchange.write(SSE_HEAD + chunked(EVENT[:5]))
        ten_beats_later_s = loop.time() + 0.1
        await until(lambda: loop.time() > ten_beats_later_s)
        await exchange.write(chunked(EVENT[5:]) + b"0\r\n\r\n")

    options = ProxyOptions(heartbeat_s=0.01)
    async with engine_running(answer) as engine, proxy_running(runtime_for(engine), options=options) as proxy:
        reply = await ask(proxy.port, body=chat_body(stream=True))
    assert EVENT in reply.body
    assert reply.body.endswith(EVENT)


@pytest.mark.parametrize("body", [chat_body(), chat_body(stream=True)])
async def test_no_heartbeat_where_there_is_none_to_give(body: bytes) -> None:
    """A non-streamed response, and a stream with heartbeats disabled, sends nothing until the engine responds."""
    is_stream = b'"stream": true' in body
    options = ProxyOptions(heartbeat_s=0.0 if is_stream else 0.02, model_wait_s=0.2)
    runtime = FakeRuntime(gate=asyncio.Event())
    async with proxy_running(runtime, options=options) as proxy:
        reply = await ask(proxy.port, body=body)
    assert (reply.status, reply.error["code"]) == (503, "model_loading")


async def test_failure_after_a_heartbeat_is_one_event() -> None:
    """After a heartbeat has fixed the status, an error is one event and the end, without [DONE]."""
    runtime = FakeRuntime(gate=asyncio.Event(), fails_with=ModelLoadFailedError("tiny", "bad magic"))
    assert runtime.gate is not None
    async with (
        proxy_running(runtime, options=IMPATIENT) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True))
        head = await client.read_until(b":\n\n\r\n")
        runtime.gate.set()
        rest = await client.reader.read()
    assert b"200 OK" in head
    event = rest.replace(b"3\r\n:\n\n\r\n", b"").split(b"\r\n")[1]
    assert json.loads(event.removeprefix(b"data: "))["error"]["code"] == "model_load_failed"
    assert rest.endswith(b"\n\n\r\n0\r\n\r\n")
    assert b"[DONE]" not in rest


@pytest.mark.parametrize(
    ("raw", "message", "type_"),
    [
        (
            json_answer({"error": {"code": 400, "message": "too long", "type": "t"}}, b"400 Bad Request"),
            "too long",
            "t",
        ),
        (json_answer({"detail": "?"}, b"501 Not Implemented"), "501", "upstream_error"),
        (json_answer({"ok": True}), "200", "upstream_error"),
        (
            b"HTTP/1.1 500 Oops\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000,
            "500",
            "upstream_error",
        ),
    ],
    ids=["its own error", "another shape", "no stream", "endless"],
)
async def test_answer_that_is_no_stream_after_a_heartbeat_is_one_event(
    raw: bytes, message: str, type_: str
) -> None:
    """An error of the engine after a heartbeat is sent as an event, without a numeric code."""
    beats_were_seen = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await beats_were_seen.wait()
        await exchange.write(raw)

    async with (
        engine_running(answer) as engine,
        proxy_running(runtime_for(engine), options=IMPATIENT) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True))
        await client.read_until(b":\n\n\r\n")
        beats_were_seen.set()
        rest = await client.reader.read()
    event = rest.replace(b"3\r\n:\n\n\r\n", b"").split(b"\r\n")[1]
    error = json.loads(event.removeprefix(b"data: "))["error"]
    assert message in error["message"]
    assert error["type"] == type_
    assert error["code"] is None or isinstance(error["code"], str)
    assert rest.endswith(b"0\r\n\r\n")


async def test_log_has_one_line_a_request_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """The access log has method, path, model, status and id; no query, key, line break, or other part of the body."""
    caplog.set_level(logging.INFO)

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({}))

    async with engine_running(answer) as engine, proxy_running(runtime_for(engine)) as proxy:
        sent = (("Authorization", "Bearer secret"), ("X-Request-Id", "r-9"))
        await ask(proxy.port, path=CHAT + "?token=secret", body=chat_body(user="secret"), headers=sent)
        await ask(proxy.port, body=chat_body(model="nosuch\nforged", user="secret"))
        await ask(proxy.port, "GET", "/%0Aforged", body=b"")
    records = [record.getMessage() for record in caplog.records if record.name == "gglib.access"]
    lines = [line.partition(" INFO    ")[2] for record in records for line in record.splitlines()]
    assert len(lines) == 3
    assert re.match(
        rf"POST {CHAT} model=tiny status=200 waited_ms=[\d.]+ first_byte_ms=[\d.]+ duration_ms=[\d.]+ chunks=1 ",
        lines[0],
    )
    assert lines[0].endswith(" request_id=r-9")
    assert lines[1].startswith(f"POST {CHAT} model=nosuch\\nforged status=404 ")
    assert lines[2].startswith("GET /%0Aforged model=- status=404 ")
    everything = [line for record in caplog.records for line in record.getMessage().split("\n")]
    assert not [line for line in everything if "secret" in line or line.startswith("forged")]
    assert len([line for line in everything if CHAT in line]) == 2


async def test_schema_above_the_limit_never_reaches_the_engine() -> None:
    """The 400 names the field; with a higher limit the request is passed to the engine."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({}))

    body = chat_body(json_schema={"enum": list(range(20))})
    async with engine_running(answer) as engine:
        for max_cost, status in ((19, 400), (20, 200)):
            options = ProxyOptions(schema_limits=SchemaLimits(max_cost=max_cost))
            async with proxy_running(runtime_for(engine), options=options) as proxy:
                reply = await ask(proxy.port, body=body)
                assert reply.status == status
                if status == 400:
                    assert (reply.error["param"], reply.error["type"]) == (
                        "json_schema",
                        "invalid_request_error",
                    )
                    assert engine.exchanges == []
