"""Tools of requests: single choices reach the engine as edits, and models without tools in their template say so."""

import json
from typing import Any

import pytest

from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, FakeRuntime

from .support import Engine, Exchange, Reply, ask, engine_running, json_answer, proxy_running

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
PLAIN = ModelSummary(id=1, name="plain", capabilities=ModelCapabilities(chat=True))
ABLE = ModelSummary(id=2, name="able", capabilities=ModelCapabilities(chat=True, tools=True))
COMPLETION = {
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a"}}],
    "created": 1,
    "model": "plain",
}


async def answer(exchange: Exchange) -> None:
    """Respond with a chat completion."""
    await exchange.write(json_answer(COMPLETION))


async def asked(
    engine: Engine, path: str, fields: dict[str, Any], *, options: ProxyOptions | None = None
) -> tuple[Reply, FakeRuntime]:
    """Return the response to a request, and the runtime that served it."""
    runtime = FakeRuntime({PLAIN.name: engine.target, ABLE.name: engine.target})
    async with proxy_running(runtime, FakeCatalog([PLAIN, ABLE]), options=options or ProxyOptions()) as proxy:
        reply = await ask(proxy.port, path=path, body=json.dumps(fields).encode())
    return reply, runtime


def tool(name: str, path: str) -> dict[str, Any]:
    """Return a tool in the dialect of the path."""
    if path == CHAT:
        return {"type": "function", "function": {"name": name}}
    return {"type": "function", "name": name}


def request(path: str, model: str, choice: object) -> dict[str, Any]:
    """Return a request with two tools."""
    messages = [{"role": "user", "content": "hi"}]
    content: dict[str, Any] = {"input": "hi"} if path == RESPONSES else {"messages": messages}
    return {"model": model, **content, "tools": [tool("get", path), tool("put", path)], "tool_choice": choice}


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_a_named_function_is_the_only_one_that_the_engine_gets(path: str) -> None:
    """It is required, in both of OpenAI's dialects."""
    async with engine_running(answer) as engine:
        reply, _ = await asked(engine, path, request(path, "able", tool("put", path)))
    assert (reply.status, reply.values("x-gglib-warning")) == (200, [])
    sent = json.loads(engine.exchanges[0].body)
    assert (sent["tools"], sent["tool_choice"]) == ([tool("put", CHAT)], "required")


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_an_unknown_function_is_a_400(path: str) -> None:
    """Before any model is loaded."""
    async with engine_running(answer) as engine:
        reply, runtime = await asked(engine, path, request(path, "able", tool("set", path)))
    assert (reply.status, reply.error["param"], runtime.admitted) == (400, "tool_choice", [])


@pytest.mark.parametrize(
    ("path", "choice"),
    [
        (CHAT, "required"),
        (CHAT, tool("put", CHAT)),
        (RESPONSES, "required"),
        (MESSAGES, {"type": "any"}),
        (MESSAGES, {"type": "tool", "name": "put"}),
    ],
)
async def test_a_required_call_of_a_model_without_tools_is_a_400(path: str, choice: object) -> None:
    """Before the load, with models that see tools."""
    async with engine_running(answer) as engine:
        reply, runtime = await asked(engine, path, request(path, "plain", choice))
    assert (reply.status, runtime.admitted) == (400, [])
    message = reply.json()["error"]["message"]
    assert message == (
        "Model 'plain' has a chat template without tools, and the request requires a call: "
        "use another model, such as able."
    )
    if path != MESSAGES:
        assert reply.error["code"] == "unsupported_by_model"


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
async def test_a_model_without_tools_answers_with_a_warning(path: str) -> None:
    """The header is on the response; forbidden tools cause none."""
    auto, none = ({"type": "auto"}, {"type": "none"}) if path == MESSAGES else ("auto", "none")
    async with engine_running(answer) as engine:
        warned, _ = await asked(engine, path, request(path, "plain", auto))
        silent, _ = await asked(engine, path, request(path, "plain", none))
        able, _ = await asked(engine, path, request(path, "able", auto))
    assert [reply.status for reply in (warned, silent, able)] == [200, 200, 200]
    assert warned.values("x-gglib-warning") == [
        "the chat template of the model has no tools, so it does not see those of the request"
    ]
    assert silent.values("x-gglib-warning") == able.values("x-gglib-warning") == []


async def test_an_alias_list_prefers_models_that_see_tools() -> None:
    """Its first model serves other requests, the first one with tools those with tools."""
    options = ProxyOptions(aliases={"any": ("plain", "able")})
    async with engine_running(answer) as engine:
        _, plain = await asked(engine, CHAT, {"model": "any", "messages": []}, options=options)
        _, able = await asked(engine, CHAT, request(CHAT, "any", "required"), options=options)
    assert [[lease.model_name for lease in runtime.admitted] for runtime in (plain, able)] == [
        ["plain"],
        ["able"],
    ]
