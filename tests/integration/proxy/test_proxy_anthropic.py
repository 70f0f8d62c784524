"""Anthropic's dialect over sockets: adapted requests, headers, models and translated responses."""

import json
from typing import Any

import pytest

from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.core.profiles import Profile
from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, FakeRuntime

from .support import (
    SSE_HEAD,
    Engine,
    Exchange,
    Reply,
    ask,
    chunked,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

MESSAGES, COUNT, MODELS = "/v1/messages", "/v1/messages/count_tokens", "/v1/models"
VERSION = (("anthropic-version", "2023-06-01"),)
HI = [{"role": "user", "content": "hi"}]
LINE = "x-anthropic-billing-header: cc_version=2.1.197.b3f; cc_entrypoint=cli;"
SCHEMA = {"type": "object"}
EVENT = b'event: message_start\ndata: {"type":"message_start","message":{}}\n\n'
CHUNK = b'data: {"id":"c","model":"tiny","choices":[{"index":0,"delta":{"content":"{}"},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"c","model":"tiny","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


def body(**members: object) -> bytes:
    """Return a request in the form of Anthropic's clients."""
    return json.dumps({"model": "tiny", "max_tokens": 9, "messages": HI, **members}).encode()


async def asked(
    path: str, content: bytes, script: Any, headers: tuple[tuple[str, str], ...] = VERSION
) -> tuple[Reply, Engine]:
    """Return the response to one request, and the engine that got it."""
    async with engine_running(script) as engine, proxy_running(runtime_for(engine)) as proxy:
        return await ask(proxy.port, "POST", path, body=content, headers=headers), engine


async def answer_ok(exchange: Exchange) -> None:
    """Send an empty object."""
    await exchange.write(json_answer({}))


def answering(*parts: bytes) -> Any:
    """Return a script that sends a stream."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(*parts) + b"0\r\n\r\n")

    return answer


@pytest.mark.parametrize("path", [MESSAGES, COUNT])
async def test_a_plain_request_is_forwarded_byte_for_byte(path: str) -> None:
    """With its query; beta headers are no reason to refuse it."""
    content = body(system="s", temperature=1).replace(b": ", b" : ")
    headers = (*VERSION, ("anthropic-beta", "a,b"), ("x-stainless-retry-count", "0"))
    reply, engine = await asked(f"{path}?beta=true", content, answer_ok, headers)
    assert reply.status == 200
    assert engine.exchanges[0].body == content
    assert engine.exchanges[0].path == f"{path}?beta=true"


@pytest.mark.parametrize("path", [MESSAGES, COUNT])
@pytest.mark.parametrize("padding", [0, 200_000])
async def test_the_billing_line_does_not_reach_the_engine(path: str, padding: int) -> None:
    """Also in a long body, which is read in a thread; the tokens are those of what is sent."""
    block = {"type": "text", "text": "x" * padding + "y"}
    reply, engine = await asked(path, body(system=[{"type": "text", "text": LINE}, block]), answer_ok)
    assert reply.status == 200
    assert json.loads(engine.exchanges[0].body)["system"] == [block]


async def test_an_encoded_body_is_refused_before_it_is_read() -> None:
    """As on all other routes."""
    reply, engine = await asked(MESSAGES, b"\x1f\x8b", answer_ok, (("content-encoding", "gzip"),))
    assert (reply.status, reply.json()["error"]["type"]) == (415, "invalid_request_error")
    assert engine.exchanges == []


async def test_tools_that_were_taken_out_are_named_in_a_header() -> None:
    """The response says what the model did not get."""
    tools = [{"type": "web_search_20250305", "name": "s"}, {"name": "get", "input_schema": SCHEMA}]
    reply, engine = await asked(MESSAGES, body(tools=tools), answer_ok)
    (warning,) = reply.values("x-gglib-warning")
    assert warning.endswith(": web_search")
    assert json.loads(engine.exchanges[0].body)["tools"] == tools[1:]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_each_response_has_the_request_id_twice(is_stream: bool) -> None:  # noqa: FBT001
    """Anthropic's clients read ``request-id``."""
    script = answering(EVENT) if is_stream else answer_ok
    reply, _ = await asked(MESSAGES, body(stream=is_stream), script)
    assert reply.status == 200
    assert len(reply.values("request-id")) == 1
    assert reply.values("request-id") == reply.values("x-request-id")


async def test_other_dialects_have_it_once() -> None:
    """Their clients read ``x-request-id``."""
    reply, _ = await asked("/v1/chat/completions", body(), answer_ok, ())
    assert reply.values("request-id") == []
    assert len(reply.values("x-request-id")) == 1


async def test_each_of_two_requests_on_a_connection_has_its_own_id() -> None:
    """The rest of their headers is computed once."""
    async with engine_running(answer_ok) as engine, proxy_running(runtime_for(engine)) as proxy:
        replies = [await ask(proxy.port, "POST", MESSAGES, body=body(), headers=VERSION) for _ in range(2)]
    ids = [reply.values("request-id") for reply in replies]
    assert ids[0] != ids[1]
    assert ids == [reply.values("x-request-id") for reply in replies]


async def test_a_format_is_kept_by_chat_completions() -> None:
    """The engine's messages would ignore it; the client gets a message."""

    async def answer(exchange: Exchange) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": "{}"}, "finish_reason": "stop"}
        await exchange.write(json_answer({"id": "c", "model": "tiny", "choices": [choice], "usage": {}}))

    config = {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "high"}
    reply, engine = await asked(f"{MESSAGES}?beta=true", body(output_config=config), answer)
    assert engine.exchanges[0].path == "/v1/chat/completions"
    assert json.loads(engine.exchanges[0].body)["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (reply.status, reply.json()["content"]) == (200, [{"type": "text", "text": "{}"}])
    assert reply.values("request-id") == reply.values("x-request-id")


async def test_a_stream_with_a_format() -> None:
    """Its events are Anthropic's, up to an error in the middle."""
    config = {"format": {"type": "json_schema", "schema": SCHEMA}}
    reply, _ = await asked(MESSAGES, body(output_config=config, stream=True), answering(CHUNK, LAST, DONE))
    assert reply.values("content-type") == ["text/event-stream"]
    assert reply.body.startswith(b"event: message_start\n")
    assert reply.body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    failing = answering(
        CHUNK, b'data: {"error":{"code":500,"message":"Compute error.","type":"server_error"}}\n\n'
    )
    reply, _ = await asked(MESSAGES, body(output_config=config, stream=True), failing)
    name, data = reply.body.split(b"\n\n")[-2].split(b"\n")
    assert name == b"event: error"
    assert json.loads(data.removeprefix(b"data: "))["error"] == {
        "type": "api_error",
        "message": "Compute error.",
    }


CHAT = ModelCapabilities(chat=True)
CATALOG = [
    ModelSummary(id=1, name="a", capabilities=CHAT, added_at=1_700_000_000, trained_context=2048),
    ModelSummary(id=2, name="org/b", capabilities=CHAT),
    ModelSummary(id=3, name="c", capabilities=CHAT),
    ModelSummary(id=4, name="embedder", capabilities=ModelCapabilities(embedding=True)),
]


async def models(path: str, headers: tuple[tuple[str, str], ...] = VERSION) -> Reply:
    """Return the response of a path about models."""
    catalog = FakeCatalog(CATALOG)
    await catalog.edit_profile("precise", None, lambda _: Profile(name="precise"))
    options = ProxyOptions(aliases={"fast": ("c",)})
    async with proxy_running(FakeRuntime(), catalog, options=options, profiles=catalog) as proxy:
        return await ask(proxy.port, "GET", path, headers=headers)


async def test_models_in_anthropics_format() -> None:
    """Those that can chat, with alias lists and profiles."""
    page = (await models(MODELS)).json()
    names = ["a", "org/b", "c", "fast", "a:precise", "org/b:precise", "c:precise"]
    assert [model["id"] for model in page["data"]] == names
    assert (page["has_more"], page["first_id"], page["last_id"]) == (False, "a", "c:precise")
    first = page["data"][0]
    assert (first["type"], first["created_at"], first["max_input_tokens"]) == (
        "model",
        "2023-11-14T22:13:20Z",
        2048,
    )


async def test_pages() -> None:
    """As the official client walks through them."""
    seen, path = [], f"{MODELS}?limit=3"
    while True:
        page = (await models(path)).json()
        seen += [model["id"] for model in page["data"]]
        if not page["has_more"]:
            break
        path = f"{MODELS}?limit=3&after_id={page['last_id']}"
    assert seen == ["a", "org/b", "c", "fast", "a:precise", "org/b:precise", "c:precise"]
    assert [model["id"] for model in (await models(f"{MODELS}?limit=1&before_id=c")).json()["data"]] == [
        "org/b"
    ]


@pytest.mark.parametrize("name", ["a", "org/b", "fast", "a:precise"])
async def test_one_model(name: str) -> None:
    """Under the name of the request."""
    found = (await models(f"{MODELS}/{name}")).json()
    assert (found["type"], found["id"]) == ("model", name)


@pytest.mark.parametrize(
    ("path", "status", "type_"),
    [
        (f"{MODELS}/nope", 404, "not_found_error"),
        (f"{MODELS}?limit=0", 400, "invalid_request_error"),
        (f"{MODELS}?after_id=nope", 400, "invalid_request_error"),
        ("/v1/messages/batches", 404, "not_found_error"),
        ("/v1/files", 404, "not_found_error"),
        ("/v1/v1/messages", 405, "invalid_request_error"),
    ],
)
async def test_errors_of_shared_paths_are_anthropics(path: str, status: int, type_: str) -> None:
    """With both headers of the request id."""
    reply = await models(path)
    assert (reply.status, reply.json()["error"]["type"]) == (status, type_)
    assert [reply.json()["request_id"]] == reply.values("request-id") == reply.values("x-request-id")


@pytest.mark.parametrize("path", [MODELS, f"{MODELS}/a", f"{MODELS}/nope", "/v1/files"])
async def test_without_the_version_they_are_openais(path: str) -> None:
    """The header decides."""
    reply = await models(path, ())
    assert reply.json().get("type") is None
    assert reply.values("request-id") == []


async def test_own_paths_keep_their_format() -> None:
    """Whatever the client sends."""
    reply = await models("/gglib/nope")
    assert list(reply.json()["error"])[:2] == ["message", "type"]


async def test_a_missing_key_is_an_authentication_error() -> None:
    """Before the route is known; the header of the id is there once."""
    options = ProxyOptions(api_keys={"me": "secret"})
    async with proxy_running(FakeRuntime(), options=options) as proxy:
        for path in (MODELS, MESSAGES):
            method = "GET" if path == MODELS else "POST"
            reply = await ask(
                proxy.port, method, path, headers=VERSION, body=b"{}" if method == "POST" else None
            )
            assert (reply.status, reply.json()["error"]["type"]) == (401, "authentication_error")
            assert len(reply.values("request-id")) == 1
