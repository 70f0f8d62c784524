"""Options that are replaced while the proxy serves, also for open connections and running streams."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gglib.core.api_keys import ApiKey
from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.core.ports.reload import ReloadResult, SettingChange
from gglib.core.runtime.events import ModelReady
from gglib.proxy import LiveOptions, ProxyOptions
from gglib.testing import FakeCatalog, FakeLibrary, FakeRuntime

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
    runtime_for,
)

ALICE, BOB = "SECRET-of-alice", "SECRET-of-bob"
BASE = ProxyOptions()


def bearer(key: str) -> tuple[tuple[str, str], ...]:
    """Return the header with a key."""
    return (("Authorization", f"Bearer {key}"),)


async def test_keys_are_replaced_on_an_open_connection() -> None:
    """The same head is accepted before and refused after, although its plan is cached."""
    options = LiveOptions(replace(BASE, api_keys={"alice": ALICE}))
    async with proxy_running(FakeRuntime(), options=options) as proxy, await connect(proxy.port) as client:
        statuses = []
        for keys in (None, None, {"bob": BOB}):
            if keys is not None:
                options.replace(replace(BASE, api_keys=keys))
            await client.send("GET", "/v1/models", headers=bearer(ALICE), is_last=False)
            statuses.append((await client.read_reply()).status)
        assert statuses == [200, 200, 401]
        assert (await ask(proxy.port, "GET", "/v1/models", headers=bearer(BOB))).status == 200


async def test_rights_of_a_key_aliases_and_the_default_model_are_replaced() -> None:
    """On an open connection with the same head: the plan of a limited key has a catalogue and services of its own."""

    def options_with(rights: ApiKey, **other: Any) -> ProxyOptions:
        return replace(BASE, api_keys={"bob": rights}, **other)

    async def script(exchange: Exchange) -> None:
        await exchange.write(json_answer({}))

    options = LiveOptions(options_with(ApiKey(key=BOB, models=("chat*",))))
    models = [
        ModelSummary(
            id=n, name=name, paths=(Path(f"/{name}.gguf"),), capabilities=ModelCapabilities(chat=True)
        )
        for n, name in enumerate(("chat-a", "coder"), 1)
    ]
    async with engine_running(script) as engine:
        runtime = FakeRuntime({model.name: engine.target for model in models})
        async with (
            proxy_running(runtime, FakeCatalog(models), options=options) as proxy,
            await connect(proxy.port) as client,
        ):

            async def listed() -> list[str]:
                await client.send("GET", "/v1/models", headers=bearer(BOB), is_last=False)
                return [model["id"] for model in (await client.read_reply()).json()["data"]]

            assert await listed() == ["chat-a"]
            assert await listed() == ["chat-a"]
            options.replace(options_with(ApiKey(key=BOB, models=("c*",)), aliases={"fast": ("coder",)}))
            assert await listed() == ["chat-a", "coder", "fast"]
            request = b'{"messages": []}'
            refused = await ask(proxy.port, body=request, headers=bearer(BOB))
            assert refused.status == 400
            options.replace(options_with(ApiKey(key=BOB, models=("coder",)), default_model="coder"))
            assert await listed() == ["coder"]
            assert (await ask(proxy.port, body=request, headers=bearer(BOB))).status == 200


async def test_a_running_stream_continues_with_the_rights_of_its_key_changed() -> None:
    """Rights are checked once, at the head; only a key that is gone ends its requests (test_proxy_limits)."""
    goes_on = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(b"data: {}\n\n"))
        await goes_on.wait()
        await exchange.write(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    options = LiveOptions(replace(BASE, api_keys={"alice": ALICE}))
    async with (
        engine_running(script) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send("POST", CHAT, body=chat_body(stream=True), headers=bearer(ALICE))
        reading = asyncio.create_task(client.read_reply())
        while not engine.open:  # noqa: ASYNC110 - the engine has no event
            await asyncio.sleep(0.001)
        options.replace(replace(BASE, api_keys={"alice": ApiKey(key=ALICE, models=("other",)), "bob": BOB}))
        goes_on.set()
        reply = await reading
    assert reply.is_whole
    assert b"[DONE]" in reply.body


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"bob": BOB}, "invalid_api_key"),
        ({"alice": ApiKey(key=ALICE)}, "forbidden"),
    ],
    ids=["revoked", "demoted"],
)
@pytest.mark.parametrize("kind", ["runtime", "download"])
async def test_admin_streams_end_when_their_key_loses_its_rights(
    keys: dict[str, ApiKey | str], code: str, kind: str
) -> None:
    """The events of the runtime and of a download end with the error of a new request; a kept key keeps its stream."""
    options = LiveOptions(replace(BASE, api_keys={"alice": ALICE, "root": "SECRET-of-root"}))
    catalog = FakeCatalog()
    library = FakeLibrary(catalog)
    async with (
        proxy_running(FakeRuntime(), catalog, options=options, library=library) as proxy,
        await connect(proxy.port) as client,
        await connect(proxy.port) as kept,
    ):
        path = "/gglib/events"
        if kind == "download":
            path = f"/gglib/downloads/{(await library.start_download('owner/coder')).id}/events"
        await client.send("GET", path, headers=bearer(ALICE))
        await client.read_until(b"\n\n\r\n")
        await kept.send("GET", path, headers=bearer("SECRET-of-root"))
        await kept.read_until(b"\n\n\r\n")
        options.replace(replace(BASE, api_keys={**keys, "root": "SECRET-of-root"}))
        async with asyncio.timeout(1):
            rest = await client.read_until(b"\r\n0\r\n\r\n")
        assert f'"code":"{code}"'.encode() in rest
        proxy.runtime.publish(ModelReady(model_id=1, model_name="tiny", load_s=1.5))
        if kind == "runtime":
            assert b"event: ready" in await kept.read_until(b"\n\n\r\n")
        assert library.followers == (kind == "download")


async def test_an_admin_stream_without_a_key_ends_when_keys_are_set() -> None:
    """A local program was an admin without a key; now it needs one."""
    options = LiveOptions(BASE)
    async with proxy_running(FakeRuntime(), options=options) as proxy, await connect(proxy.port) as client:
        await client.send("GET", "/gglib/events")
        await client.read_until(b"\n\n\r\n")
        options.replace(replace(BASE, heartbeat_s=1.0))
        options.replace(replace(BASE, api_keys={"alice": ALICE}))
        async with asyncio.timeout(1):
            assert b"invalid_api_key" in await client.read_until(b"\r\n0\r\n\r\n")


async def test_limits_hosts_and_the_default_context_are_replaced() -> None:
    """The body limit also on an open connection; the default context in the list of models."""

    async def script(exchange: Exchange) -> None:
        await exchange.write(json_answer({}))

    options = LiveOptions(BASE)
    async with (
        engine_running(script) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
        await connect(proxy.port) as client,
    ):
        body = chat_body(padding="x" * 1000)
        await client.send("POST", CHAT, body=body, is_last=False)
        assert (await client.read_reply()).status == 200
        options.replace(replace(BASE, max_body_bytes=500, allowed_hosts=("box.lan",)), default_ctx=77)
        await client.send("POST", CHAT, body=body)
        assert (await client.read_reply()).status == 413
        listed = (await ask(proxy.port, "GET", "/v1/models")).json()
        assert listed["data"][0]["meta"]["n_ctx"] == 77
        options.replace(BASE)
        assert (await ask(proxy.port, body=body)).status == 200
        listed = (await ask(proxy.port, "GET", "/v1/models")).json()
        assert listed["data"][0]["meta"]["n_ctx"] == 77, "None keeps the context"


async def test_an_invalid_key_changes_nothing() -> None:
    """An empty key would accept requests without one."""
    options = LiveOptions(replace(BASE, api_keys={"alice": ALICE}))
    async with proxy_running(FakeRuntime(), options=options) as proxy:
        assert (await ask(proxy.port, "GET", "/health")).status == 200
        with pytest.raises(ValueError, match="empty"):
            options.replace(replace(BASE, api_keys={"bob": ""}), default_ctx=5)
        assert options.current.api_keys == {"alice": ALICE}
        assert (await ask(proxy.port, "GET", "/v1/models", headers=bearer(ALICE))).status == 200


async def test_options_replaced_before_the_start_are_used() -> None:
    """``serve`` starts with the current options."""
    options = LiveOptions(BASE)
    options.replace(replace(BASE, api_keys={"alice": ALICE}), default_ctx=9)
    async with proxy_running(FakeRuntime(), options=options) as proxy:
        assert (await ask(proxy.port, "GET", "/v1/models")).status == 401
        listed = (await ask(proxy.port, "GET", "/v1/models", headers=bearer(ALICE))).json()
        assert listed["data"][0]["meta"]["n_ctx"] == 9
    options.replace(BASE)  # nothing serves any more


async def test_the_route_calls_the_reload() -> None:
    """It sends the changes, or the error of an invalid setting; without a reload it sends 501."""
    results: list[ReloadResult | InvalidSettingError] = [
        InvalidSettingError("The file is invalid."),
        ReloadResult(
            changes=(SettingChange(setting="port", old="1", new="2", is_applied=False),),
            replaced_models=("tiny",),
            warnings=("w",),
        ),
    ]

    async def reload() -> ReloadResult:
        result = results.pop()
        if isinstance(result, InvalidSettingError):
            raise result
        return result

    async with proxy_running(FakeRuntime(), reload=reload) as proxy:
        reply = await ask(proxy.port, "POST", "/gglib/reload")
        assert reply.json() == {
            "settings": [{"setting": "port", "old": "1", "new": "2", "applied": False}],
            "replaced_models": ["tiny"],
            "warnings": ["w"],
        }
        reply = await ask(proxy.port, "POST", "/gglib/reload")
        assert (reply.status, reply.error["code"]) == (500, "invalid_setting")
        assert "The file is invalid." in reply.error["message"]
    async with proxy_running(FakeRuntime()) as proxy:
        reply = await ask(proxy.port, "POST", "/gglib/reload")
        assert (reply.status, reply.error["code"]) == (501, "not_offered")


async def test_a_page_of_another_origin_cannot_reload() -> None:
    """The route is for admins."""
    options = replace(BASE, cors_origins=("https://a.example",))
    async with proxy_running(FakeRuntime(), options=options) as proxy:
        reply = await ask(proxy.port, "POST", "/gglib/reload", headers=(("Origin", "https://a.example"),))
        assert reply.status == 403
