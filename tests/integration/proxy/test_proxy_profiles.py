"""Profiles over real sockets: what reaches the engine, the lists, and the API."""

import json
import threading
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.core.profiles import Profile
from gglib.proxy import ProxyOptions, forward
from gglib.proxy.profiles.apply import apply_profile
from gglib.testing import FakeCatalog

from .support import (
    CHAT,
    MODEL,
    Exchange,
    Proxy,
    Reply,
    ask,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

EMBEDDER = ModelSummary(id=2, name="embed", capabilities=ModelCapabilities(embedding=True))
PRECISE = Profile(
    name="precise",
    description="Short",
    system="Be brief.",
    defaults={"temperature": 0.2, "max_tokens": 9},
    template_kwargs={"enable_thinking": False},
    strip=("top_p",),
)


async def answer_ok(exchange: Exchange) -> None:
    """Send a small JSON object as the response to any request."""
    await exchange.write(json_answer({"ok": True}))


async def stocked(*profiles: tuple[Profile, int | None]) -> FakeCatalog:
    """Return a catalogue with profiles."""
    catalog = FakeCatalog([MODEL, EMBEDDER])
    for profile, model_id in profiles:
        await catalog.edit_profile(profile.name, model_id, partial(replaced_by, profile))
    return catalog


def replaced_by(profile: Profile, known: Profile | None) -> Profile:
    """Return ``profile``, whatever was there before."""
    del known
    return profile


def body_for(name: str, **fields: Any) -> bytes:
    """Return a chat request."""
    return json.dumps({"model": name, "messages": [{"role": "user", "content": "Hi"}], **fields}).encode()


def error_of(reply: Reply) -> dict[str, Any]:
    """Return the error object of a reply."""
    error: dict[str, Any] = json.loads(reply.body)["error"]
    return error


async def test_the_engine_gets_the_defaults_and_the_prompt() -> None:
    """What the client sets stays, the rest comes from the profile."""
    catalog = await stocked((PRECISE, 1))
    async with (
        engine_running(answer_ok) as engine,
        proxy_running(runtime_for(engine), catalog=catalog, profiles=catalog) as proxy,
    ):
        body = body_for("tiny:precise", temperature=1.5, top_p=0.1)
        assert (await ask(proxy.port, body=body)).status == 200
        assert (await ask(proxy.port, body=body_for("tiny"))).status == 200
    sent = json.loads(engine.exchanges[0].body)
    assert sent == {
        "model": "tiny:precise",
        "temperature": 1.5,
        "max_tokens": 9,
        "chat_template_kwargs": {"enable_thinking": False},
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    }
    assert engine.exchanges[1].body == body_for("tiny")


async def test_a_default_with_a_profile_serves_the_paths_of_its_model() -> None:
    """For paths that its model serves, and unless a model has the same name."""
    catalog = await stocked((PRECISE, 1), (Profile(name="shared"), None))
    messages = [{"role": "user", "content": "Hi"}]
    async with engine_running(answer_ok) as engine:
        for default in ("tiny:precise", "tiny:gone", "embed:shared"):
            options = ProxyOptions(default_model=default)
            runtime = runtime_for(engine)
            async with proxy_running(runtime, catalog=catalog, profiles=catalog, options=options) as proxy:
                assert (await ask(proxy.port, body=json.dumps({"messages": messages}).encode())).status == 200
    sent = [json.loads(exchange.body) for exchange in engine.exchanges]
    assert [body.get("temperature") for body in sent] == [0.2, None, None]


async def test_a_profile_may_not_exceed_the_limits_of_requests() -> None:
    """A guarded field is refused as the operator's error, unless the setting allows it."""
    catalog = await stocked((Profile(name="slot", defaults={"id_slot": 1}), None))
    allowed = ProxyOptions(allowed_engine_fields=frozenset(("id_slot",)))
    async with engine_running(answer_ok) as engine:
        async with proxy_running(runtime_for(engine), catalog=catalog, profiles=catalog) as proxy:
            reply = await ask(proxy.port, body=body_for("tiny:slot"))
            assert (reply.status, error_of(reply)["code"]) == (500, "invalid_setting")
            assert "id_slot" in error_of(reply)["message"]
        async with proxy_running(
            runtime_for(engine), catalog=catalog, profiles=catalog, options=allowed
        ) as proxy:
            assert (await ask(proxy.port, body=body_for("tiny:slot"))).status == 200
    assert json.loads(engine.exchanges[0].body)["id_slot"] == 1


async def test_a_field_with_a_limit_may_be_set_up_to_the_limit() -> None:
    """Also without ``allowed_engine_fields``."""
    catalog = await stocked((Profile(name="probs", defaults={"logprobs": True, "top_logprobs": 20}), None))
    async with (
        engine_running(answer_ok) as engine,
        proxy_running(runtime_for(engine), catalog=catalog, profiles=catalog) as proxy,
    ):
        assert (await ask(proxy.port, body=body_for("tiny:probs"))).status == 200
    assert json.loads(engine.exchanges[0].body)["top_logprobs"] == 20


@pytest.mark.parametrize(("characters", "is_inline"), [(10, True), (1024 * 1024, False)])
async def test_a_long_body_does_not_block_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, characters: int, *, is_inline: bool
) -> None:
    """The profile is applied in a thread; short bodies are edited on the loop, which is faster."""
    threads: list[int] = []

    def recorded(body: bytes, profile: Profile, path: str) -> bytes:
        threads.append(threading.get_ident())
        return apply_profile(body, profile, path)

    monkeypatch.setattr(forward, "apply_profile", recorded)
    catalog = await stocked((PRECISE, 1))
    async with (
        engine_running(answer_ok) as engine,
        proxy_running(runtime_for(engine), catalog=catalog, profiles=catalog) as proxy,
    ):
        body = body_for("tiny:precise", user="x" * characters)
        assert (await ask(proxy.port, body=body)).status == 200
    assert json.loads(engine.exchanges[0].body)["temperature"] == 0.2
    assert (threads == [threading.get_ident()]) is is_inline


@pytest.mark.parametrize("path", [CHAT, "/v1/models/tiny:slow"])
async def test_an_unknown_profile_is_not_found(path: str) -> None:
    """The error names the profiles of the model; without any it is the usual one."""
    catalog = await stocked((PRECISE, 1), (Profile(name="shared"), None))
    empty = await stocked()
    body, method = (body_for("tiny:slow"), "POST") if path == CHAT else (None, "GET")
    async with engine_running(answer_ok) as engine:
        async with proxy_running(runtime_for(engine), catalog=catalog, profiles=catalog) as proxy:
            reply = await ask(proxy.port, method, path, body=body)
            assert (reply.status, error_of(reply)["code"]) == (404, "profile_not_found")
            assert error_of(reply)["message"] == "Model 'tiny' has no profile 'slow'. It has precise, shared."
        for profiles in (empty, None):
            async with proxy_running(runtime_for(engine), catalog=empty, profiles=profiles) as proxy:
                reply = await ask(proxy.port, method, path, body=body)
                assert (reply.status, error_of(reply)["code"]) == (404, "model_not_found")


async def test_profiles_are_listed_like_their_model() -> None:
    """With an id and a description of their own, and the facts and the state of the model."""
    catalog = await stocked((PRECISE, 1), (Profile(name="shared"), None))
    async with (
        engine_running(answer_ok) as engine,
        proxy_running(runtime_for(engine), catalog=catalog, profiles=catalog) as proxy,
    ):
        data = json.loads((await ask(proxy.port, "GET", "/v1/models")).body)["data"]
        assert [model["id"] for model in data] == ["tiny", "embed", "tiny:precise", "tiny:shared"]
        tiny, precise, shared = data[0], data[2], data[3]
        own = {"id", "name", "description", "aliases"}
        assert {key: value for key, value in precise.items() if key not in own} == {
            key: value for key, value in tiny.items() if key not in own
        }
        assert precise["description"] == "Short"
        assert shared["description"] == "tiny with the profile shared"
        assert json.loads((await ask(proxy.port, "GET", "/v1/models/tiny:precise")).body) == precise


async def test_the_default_model_may_have_a_profile() -> None:
    """A request without a model gets its defaults; an unknown profile is an error."""
    catalog = await stocked((PRECISE, 1))
    async with engine_running(answer_ok) as engine:
        options = ProxyOptions(default_model="tiny:precise")
        async with proxy_running(
            runtime_for(engine), catalog=catalog, profiles=catalog, options=options
        ) as proxy:
            assert (await ask(proxy.port, body=b'{"messages":[]}')).status == 200
        assert json.loads(engine.exchanges[0].body)["temperature"] == 0.2
        catalog = FakeCatalog([MODEL, replace(MODEL, id=3, name="other")])
        await catalog.edit_profile("precise", 1, partial(replaced_by, PRECISE))
        options = ProxyOptions(default_model="tiny:slow")
        async with proxy_running(
            runtime_for(engine), catalog=catalog, profiles=catalog, options=options
        ) as proxy:
            reply = await ask(proxy.port, body=b'{"messages":[]}')
            assert (reply.status, error_of(reply)["code"]) == (404, "profile_not_found")


async def test_a_model_with_a_profile_is_shown_loaded_and_unloaded() -> None:
    """The profile has no effect there; an unknown one is an error."""
    catalog = await stocked((PRECISE, 1))
    async with (
        engine_running(answer_ok) as engine,
        proxy_running(runtime_for(engine), catalog=catalog, profiles=catalog) as proxy,
    ):
        assert (await call(proxy, "GET", "/gglib/models/tiny:precise"))[1]["name"] == "tiny"
        assert (await call(proxy, "POST", "/gglib/models/tiny:precise/load", {}))[1]["model_name"] == "tiny"
        assert (await call(proxy, "POST", "/gglib/models/tiny:precise/unload"))[0] == 200
        status, error = await call(proxy, "POST", "/gglib/models/tiny:slow/load", {})
        assert (status, error["error"]["code"]) == (404, "profile_not_found")


PATH = "/gglib/profiles/precise"


async def call(proxy: Proxy, method: str, path: str, content: object = None) -> tuple[int, dict[str, Any]]:
    """Send a request to the API."""
    body = None if content is None else json.dumps(content).encode()
    reply = await ask(proxy.port, method, path, body=body)
    return reply.status, json.loads(reply.body)


async def test_the_api_sets_shows_and_removes_profiles() -> None:
    """PUT replaces the whole profile; the next request uses it."""
    catalog = await stocked()
    async with (
        engine_running(answer_ok) as engine,
        proxy_running(runtime_for(engine), catalog=catalog, profiles=catalog) as proxy,
    ):
        fields = {"system": "Hi", "defaults": {"seed": 4}, "strip": ["stop"], "template_kwargs": {"a": 1}}
        shown = {"name": "precise", "model": "tiny", "description": "", **fields}
        assert await call(proxy, "PUT", f"{PATH}?model=1", fields) == (200, shown)
        assert await call(proxy, "GET", f"{PATH}?model=tiny") == (200, shown)
        assert await call(proxy, "GET", "/gglib/profiles") == (200, {"profiles": [shown]})
        assert (await ask(proxy.port, body=body_for("tiny:precise"))).status == 200
        assert json.loads(engine.exchanges[0].body)["seed"] == 4
        status, replaced = await call(proxy, "PUT", f"{PATH}?model=tiny", {"description": "x"})
        assert (status, replaced["defaults"], replaced["description"]) == (200, {}, "x")
        status, error = await call(proxy, "GET", PATH)
        assert (status, error["error"]["code"]) == (404, "profile_not_found")
        assert (await call(proxy, "DELETE", f"{PATH}?model=tiny"))[0] == 200
        status, error = await call(proxy, "DELETE", f"{PATH}?model=tiny")
        assert (status, error["error"]["code"]) == (404, "profile_not_found")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"defaults": {"temperature": -1}}, "'temperature' must be"),
        ({"defaults": {"id_slot": 1}}, "allowed_engine_fields"),
        ({"defaults": 3}, "'defaults' must be an object"),
        ({"temperature": 1}, "not a field"),
    ],
)
async def test_the_api_refuses_an_invalid_profile(content: object, reason: str) -> None:
    """With 400 and one sentence, and stores nothing."""
    catalog = await stocked()
    async with (
        engine_running(answer_ok) as engine,
        proxy_running(runtime_for(engine), catalog=catalog, profiles=catalog) as proxy,
    ):
        status, error = await call(proxy, "PUT", PATH, content)
        assert (status, error["error"]["code"]) == (400, "invalid_request")
        assert reason in error["error"]["message"]
    assert await catalog.list_profiles() == []


async def test_a_server_without_profiles_says_so() -> None:
    """501, as for other parts that an embedding program leaves out."""
    async with engine_running(answer_ok) as engine, proxy_running(runtime_for(engine)) as proxy:
        status, error = await call(proxy, "GET", "/gglib/profiles")
        assert (status, error["error"]["code"]) == (501, "not_offered")
        assert (await call(proxy, "PUT", PATH, {}))[0] == 501
