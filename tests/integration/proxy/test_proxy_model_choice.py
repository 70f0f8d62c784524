"""Requests that name no model, and requests for an alias list, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.waiting import until

from gglib.core.errors import (
    EngineArgumentError,
    ModelFileNotFoundError,
    ModelLoadFailedError,
    ModelNotFoundError,
    QueueFullError,
)
from gglib.core.models import ModelCapabilities, ModelSummary, RunningTarget
from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, FakeLibrary, FakeRuntime

from .support import (
    CHAT,
    Exchange,
    Proxy,
    Reply,
    ask,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
)

A = ModelSummary(id=1, name="a", capabilities=ModelCapabilities(chat=True))
B = ModelSummary(id=2, name="b", capabilities=ModelCapabilities(chat=True))
EMBED = ModelSummary(id=3, name="embed", capabilities=ModelCapabilities(embedding=True))
RANK = ModelSummary(id=4, name="rank", capabilities=ModelCapabilities(rerank=True))
ALL = (A, B, EMBED, RANK)
FAST = ProxyOptions(aliases={"fast": ("gone", "a", "b"), "lost": ("gone",), "b": ("a",)})
EMPTY_CHAT = b'{"messages":[]}'


class Runtime(FakeRuntime):
    """A runtime in which some models fail."""

    def __init__(self, targets: Mapping[str, RunningTarget]) -> None:
        super().__init__(targets)
        self.failures: dict[str, Exception] = {}

    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        """Raise the model's failure after the gate."""
        target = await super().ensure_model_running(model_name, num_ctx, default_ctx)
        if model_name in self.failures:
            raise self.failures[model_name]
        return target


@asynccontextmanager
async def serving(
    *models: ModelSummary, options: ProxyOptions | None = None
) -> AsyncIterator[tuple[Proxy, Runtime]]:
    """Serve models with an engine that responds with the body it received."""

    async def echo(exchange: Exchange) -> None:
        await exchange.write(json_answer({"received": exchange.body.decode()}))

    async with engine_running(echo) as engine:
        targets = {model.name: RunningTarget.local(engine.port, model.id, model.name, 512) for model in ALL}
        runtime = Runtime(targets)
        async with proxy_running(runtime, FakeCatalog(models), options=options) as proxy:
            yield proxy, runtime


def admitted(runtime: FakeRuntime) -> list[str]:
    """Return the models that were admitted, in order."""
    return [lease.model_name for lease in runtime.admitted]


async def post(proxy: Proxy, body: bytes, path: str = CHAT) -> Reply:
    """Post a body."""
    return await ask(proxy.port, "POST", path, body=body)


class TestWithoutAModel:
    @pytest.mark.parametrize("body", [EMPTY_CHAT, b'{"model":null}', b'{"model":""}'])
    async def test_the_only_model_serves_and_the_body_stays_as_it_is(self, body: bytes) -> None:
        """Missing, null and empty mean the same; nothing is added to the body."""
        async with serving(A) as (proxy, runtime):
            reply = await post(proxy, body)
        assert (reply.status, reply.json()) == (200, {"received": body.decode()})
        assert admitted(runtime) == ["a"]

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/v1/embeddings", "embed"),
            ("/embeddings", "embed"),
            ("/v1/rerank", "rank"),
            ("/rerank", "rank"),
            (CHAT, "a"),
            ("/completions", "a"),
            ("/v1/messages", "a"),
        ],
    )
    async def test_only_models_of_the_needed_kind_count(self, path: str, name: str) -> None:
        """A chat model beside an embedder is the only one for a chat."""
        async with serving(EMBED, A, RANK) as (proxy, runtime):
            assert (await post(proxy, b"{}", path)).status == 200
        assert admitted(runtime) == [name]

    async def test_the_configured_model_comes_first(self) -> None:
        """It is not used for a path that it cannot serve."""
        async with serving(A, B, EMBED, options=ProxyOptions(default_model="b")) as (proxy, runtime):
            await post(proxy, EMPTY_CHAT)
            await post(proxy, b"{}", "/v1/embeddings")
        assert admitted(runtime) == ["b", "embed"]

    async def test_the_model_in_memory_serves_if_there_are_several(self) -> None:
        """A request that names a model is served by that one."""
        async with serving(A, B) as (proxy, runtime):
            await post(proxy, b'{"model":"b"}')
            await post(proxy, EMPTY_CHAT)
        assert admitted(runtime) == ["b", "b"]

    async def test_several_models_are_listed(self) -> None:
        """The error says what to do, in the form of the dialect; nothing is loaded."""
        async with serving(A, B, EMBED) as (proxy, runtime):
            reply = await post(proxy, EMPTY_CHAT)
            anthropic = await post(proxy, EMPTY_CHAT, "/v1/messages")
        assert (reply.status, reply.error["param"]) == (400, "model")
        assert "a, b, embed" in reply.error["message"]
        assert "'default_model'" in reply.error["message"]
        assert anthropic.json()["error"]["type"] == "invalid_request_error"
        assert runtime.admitted == []

    async def test_an_empty_catalogue_says_how_to_add_a_model(self) -> None:
        """There is no name to list."""
        async with serving() as (proxy, _):
            assert "'gglib pull'" in (await post(proxy, EMPTY_CHAT)).error["message"]

    async def test_a_default_that_does_not_exist_is_not_found(self) -> None:
        """The error has its name, if no other rule chooses a model."""
        async with serving(A, B, options=ProxyOptions(default_model="gone")) as (proxy, _):
            reply = await post(proxy, EMPTY_CHAT)
        assert (reply.status, reply.error["code"]) == (404, "model_not_found")
        assert "'gone'" in reply.error["message"]


CANNOT_RUN = [
    ModelFileNotFoundError("a"),
    ModelLoadFailedError("a", "out of memory"),
    EngineArgumentError("The engine does not support '--x'."),
    ModelNotFoundError("a"),
]


class TestAliasLists:
    async def test_the_first_model_in_the_catalogue_serves(self) -> None:
        """The log and the metrics have its own name."""
        async with serving(*ALL, options=FAST) as (proxy, runtime):
            reply = await post(proxy, b'{"model":"fast"}')
            metrics = (await ask(proxy.port, "GET", "/metrics")).body.decode()
        assert (reply.status, reply.json()) == (200, {"received": '{"model":"fast"}'})
        assert admitted(runtime) == ["a"]
        assert 'model="a"' in metrics
        assert "fast" not in metrics

    @pytest.mark.parametrize("error", CANNOT_RUN, ids=lambda error: error.code)
    @pytest.mark.parametrize("is_stream", [False, True])
    async def test_the_next_model_serves_if_the_first_cannot_run(
        self, error: Exception, *, is_stream: bool
    ) -> None:
        """Nothing of the failure reaches the client."""
        async with serving(*ALL, options=FAST) as (proxy, runtime):
            runtime.failures["a"] = error
            reply = await post(proxy, json.dumps({"model": "fast", "stream": is_stream}).encode())
        assert reply.status == 200
        assert admitted(runtime) == ["a", "b"]

    async def test_the_error_of_the_last_model_is_the_response(self) -> None:
        """All of them were tried, in order."""
        async with serving(*ALL, options=FAST) as (proxy, runtime):
            runtime.failures = {"a": ModelLoadFailedError("a", "one"), "b": ModelLoadFailedError("b", "two")}
            reply = await post(proxy, b'{"model":"fast"}')
        assert (reply.status, reply.error["code"]) == (500, "model_load_failed")
        assert "two" in reply.error["message"]
        assert admitted(runtime) == ["a", "b"]

    async def test_a_model_that_can_run_later_is_not_skipped(self) -> None:
        """A full queue is not a reason to load another model."""
        async with serving(*ALL, options=FAST) as (proxy, runtime):
            runtime.failures["a"] = QueueFullError(10, 1.0)
            reply = await post(proxy, b'{"model":"fast"}')
        assert (reply.status, reply.error["code"]) == (503, "queue_full")
        assert admitted(runtime) == ["a"]

    async def test_comments_of_a_waiting_stream_do_not_prevent_the_next_model(self) -> None:
        """No part of a response has been sent yet."""
        event = b'data: {"n":1}\n\n'

        async def stream(exchange: Exchange) -> None:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            await exchange.write(head + chunked(event) + b"0\r\n\r\n")

        options = ProxyOptions(aliases=FAST.aliases, heartbeat_s=0.01)
        async with engine_running(stream) as engine:
            targets = {m.name: RunningTarget.local(engine.port, m.id, m.name, 512) for m in ALL}
            runtime = Runtime(targets)
            runtime.gate, runtime.failures = asyncio.Event(), {"a": ModelLoadFailedError("a", "one")}
            async with (
                proxy_running(runtime, FakeCatalog(ALL), options=options) as proxy,
                await connect(proxy.port) as client,
            ):
                await client.send(body=b'{"model":"fast","stream":true}')
                await client.read_until(b":")
                runtime.gate.set()
                rest = await client.read_until(b"0\r\n\r\n")
        assert event in rest
        assert b"error" not in rest
        assert admitted(runtime) == ["a", "b"]

    @pytest.mark.parametrize(
        ("headers", "limit_s"), [((), 20.0), ((("Prefer", "wait=5"),), 5.0), ((("Prefer", "wait=50"),), 20.0)]
    )
    async def test_the_wait_is_one_deadline_for_all_models(
        self, headers: tuple[tuple[str, str], ...], limit_s: float
    ) -> None:
        """The next model gets what the first has left, of ``Prefer: wait`` and of ``model_wait_s``."""
        options = ProxyOptions(aliases=FAST.aliases, model_wait_s=20.0)
        async with serving(*ALL, options=options) as (proxy, runtime):
            runtime.failures["a"] = ModelLoadFailedError("a", "one")
            reply = await ask(proxy.port, body=b'{"model":"fast"}', headers=headers)
        assert reply.status == 200
        first_s, second_s = (lease.wait_s for lease in runtime.admitted)
        assert first_s == limit_s
        assert second_s is not None
        assert 0 < second_s < limit_s

    async def test_without_a_wait_no_model_is_waited_for(self) -> None:
        """``Prefer: wait=0`` stays 0."""
        async with serving(*ALL, options=FAST) as (proxy, runtime):
            runtime.failures["a"] = ModelLoadFailedError("a", "one")
            await ask(proxy.port, body=b'{"model":"fast"}', headers=(("Prefer", "wait=0"),))
        assert [lease.wait_s for lease in runtime.admitted] == [0, 0]

    async def test_a_name_of_the_catalogue_is_not_an_alias(self) -> None:
        """``b`` is also an alias for ``a``."""
        async with serving(*ALL, options=FAST) as (proxy, runtime):
            await post(proxy, b'{"model":"b"}')
        assert admitted(runtime) == ["b"]

    async def test_an_alias_without_a_model_is_not_found(self) -> None:
        """An unknown name suggests aliases, too."""
        async with serving(*ALL, options=FAST) as (proxy, _):
            lost = await post(proxy, b'{"model":"lost"}')
            unknown = await post(proxy, b'{"model":"fastt"}')
        assert (lost.status, lost.error["code"]) == (404, "model_not_found")
        assert "'lost'" in lost.error["message"]
        assert "fast" in unknown.error["message"]

    async def test_aliases_are_listed_and_shown(self) -> None:
        """Clients find them in the list of models."""
        async with serving(*ALL, options=FAST) as (proxy, _):
            listed: list[dict[str, Any]] = (await ask(proxy.port, "GET", "/v1/models")).json()["data"]
            shown = await ask(proxy.port, "GET", "/v1/models/fast")
            lost = await ask(proxy.port, "GET", "/v1/models/lost")
            first = await ask(proxy.port, "GET", "/gglib/models/fast")
        assert [model["id"] for model in listed] == ["a", "b", "embed", "rank", "fast"]
        assert shown.json() == listed[-1]
        assert lost.status == 404
        assert first.json()["name"] == "a"

    @pytest.mark.parametrize(
        ("method", "path"), [("PATCH", ""), ("DELETE", ""), ("POST", "/pin"), ("POST", "/unpin")]
    )
    async def test_a_change_needs_one_model(self, method: str, path: str) -> None:
        """The error names the models of the list."""
        catalog = FakeCatalog(ALL)
        async with proxy_running(FakeRuntime(), catalog, options=FAST, library=FakeLibrary(catalog)) as proxy:
            reply = await ask(proxy.port, method, f"/gglib/models/fast{path}", body=b"{}")
            unknown = await ask(proxy.port, method, f"/gglib/models/gone{path}", body=b"{}")
        assert (reply.status, reply.error["code"]) == (404, "model_not_found")
        assert reply.error["message"] == "'fast' is an alias list: use one of its models, a, b."
        assert "'gone' is not in the catalogue" in unknown.error["message"]

    async def test_an_alias_is_loaded_and_unloaded(self) -> None:
        """A load takes the first model that can run, an unload all that are in memory."""
        async with serving(*ALL, options=FAST) as (proxy, runtime):
            runtime.failures["a"] = ModelLoadFailedError("a", "one")
            loaded = await ask(proxy.port, "POST", "/gglib/models/fast/load", body=b"")
            unloaded = await ask(proxy.port, "POST", "/gglib/models/fast/unload", body=b"")
        assert loaded.json()["model_name"] == "b"
        assert unloaded.json() == {"stopped": ["b"], "node": None}

    @pytest.mark.parametrize(
        ("path", "served"), [(CHAT, "a"), ("/v1/embeddings", "embed"), ("/rerank", "rank")]
    )
    @pytest.mark.parametrize("body", [b'{"model":"mixed"}', b"{}"])
    async def test_models_of_another_kind_are_skipped(self, path: str, served: str, body: bytes) -> None:
        """Also of a default model; the next model is one of the kind, too."""
        options = ProxyOptions(aliases={"mixed": ("rank", "embed", "a", "b")}, default_model="mixed")
        async with serving(*ALL, options=options) as (proxy, runtime):
            assert (await post(proxy, body, path)).status == 200
            runtime.failures = {name: ModelLoadFailedError(name, "one") for name in ["a", "embed", "rank"]}
            assert (await post(proxy, body, path)).status == (200 if served == "a" else 500)
        assert admitted(runtime) == ([served, served, "b"] if served == "a" else [served, served])

    async def test_a_list_without_a_model_of_the_kind_is_refused(self) -> None:
        """The error names the models of the list, and others that would do; nothing is loaded."""
        options = ProxyOptions(aliases={"vectors": ("embed", "gone", "rank"), "fast": ("a", "b")})
        async with serving(*ALL, options=options) as (proxy, runtime):
            chat = await post(proxy, b'{"model":"vectors"}')
            ranks = await post(proxy, b'{"model":"fast"}', "/rerank")
            alone = await post(proxy, b'{"model":"embed"}')
        assert (chat.status, chat.error["code"]) == (400, "unsupported_by_model")
        assert chat.error["message"] == (
            "No model of the alias list 'vectors' can chat: it has embed, rank. Use another model, such as a, b."
        )
        assert ranks.error["message"] == (
            "No model of the alias list 'fast' is served for reranking: it has a, b. Use another model, such as rank."
        )
        assert (
            alone.error["message"]
            == "Model 'embed' only creates embeddings: use another model, such as a, b."
        )
        assert admitted(runtime) == []

    async def test_a_list_without_a_model_of_the_kind_may_be_the_only_models(self) -> None:
        """Then no other model is suggested."""
        options = ProxyOptions(aliases={"fast": ("a", "b")})
        async with serving(A, B, options=options) as (proxy, _):
            refused = await post(proxy, b'{"model":"fast"}', "/embeddings")
        assert refused.error["message"] == (
            "No model of the alias list 'fast' is served for embeddings: it has a, b."
        )

    async def test_a_load_takes_models_of_any_kind(self) -> None:
        """It is for no path."""
        async with serving(*ALL, options=ProxyOptions(aliases={"mixed": ("rank", "a")})) as (proxy, _):
            loaded = await ask(proxy.port, "POST", "/gglib/models/mixed/load", body=b"")
        assert loaded.json()["model_name"] == "rank"

    async def test_the_default_model_may_be_an_alias(self) -> None:
        """Its first model that can run serves the request."""
        options = ProxyOptions(aliases=FAST.aliases, default_model="fast")
        async with serving(*ALL, options=options) as (proxy, runtime):
            runtime.failures["a"] = ModelFileNotFoundError("a")
            assert (await post(proxy, EMPTY_CHAT)).status == 200
        assert admitted(runtime) == ["a", "b"]


async def test_a_disconnect_during_the_first_model_ends_the_request() -> None:
    """The next model is not tried."""
    async with serving(*ALL, options=FAST) as (proxy, runtime):
        runtime.gate, runtime.failures = asyncio.Event(), {"a": ModelLoadFailedError("a", "one")}
        async with await connect(proxy.port) as client:
            await client.send(body=b'{"model":"fast"}')
            await until(lambda: runtime.waiting == 1)
        await until(lambda: runtime.waiting == 0)
        assert admitted(runtime) == ["a"]
