"""llama.cpp's own routes over real sockets: reads and changes of an engine, its router, and kinds of models."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.waiting import until

from gglib.core.api_keys import ApiKey
from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import ModelCapabilities, ModelSummary, RunningTarget
from gglib.core.runtime.events import ModelLoading, ModelReady, RequestQueued
from gglib.proxy import ProxyOptions
from gglib.testing import FakeCatalog, FakeRuntime

from .support import (
    CHAT,
    SSE_HEAD,
    Engine,
    Exchange,
    Proxy,
    Script,
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
BASE = ModelSummary(id=5, name="base")
ALL = (A, B, EMBED, RANK, BASE)
READS = ("/props", "/slots", "/lora-adapters")
PROPERTIES = {"model_path": "/home/me/a.gguf", "total_slots": 1}
KEYS = ProxyOptions(
    api_keys={
        "admin": "admin-key",
        "client": ApiKey(key="client-key"),
        "limited": ApiKey(key="limited-key", models=("b",)),
    }
)


class Runtime(FakeRuntime):
    """A runtime that records loads and unloads."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            {model.name: RunningTarget.local(engine.port, model.id, model.name, 512) for model in ALL}
        )
        self.unloaded: list[str] = []

    async def unload(self, model_name: str) -> bool:
        """Stop the model and record its name."""
        self.unloaded.append(model_name)
        return await super().unload(model_name)


async def echo(exchange: Exchange) -> None:
    """Respond with the request."""
    received = {"method": exchange.method, "path": exchange.path, "body": exchange.body.decode()}
    await exchange.write(json_answer(received))


@asynccontextmanager
async def serving(
    script: Script = echo, *, loaded: str | None = None, options: ProxyOptions | None = None
) -> AsyncIterator[tuple[Proxy, Runtime, Engine]]:
    """Serve all models, of which one may be in memory, with an engine."""
    async with engine_running(script) as engine:
        runtime = Runtime(engine)
        if loaded is not None:
            await runtime.load(loaded, None, 512)
        async with proxy_running(runtime, FakeCatalog(ALL), options=options) as proxy:
            yield proxy, runtime, engine


def key(name: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of a request with a key."""
    return (("Authorization", f"Bearer {name}-key"),)


def admitted(runtime: FakeRuntime) -> list[str]:
    """Return the models that were admitted, in order."""
    return [lease.model_name for lease in runtime.admitted]


class TestReads:
    @pytest.mark.parametrize("path", READS)
    @pytest.mark.parametrize("query", ["", "?fail_on_no_slot=1"])
    async def test_without_a_model_the_one_in_memory_is_read(self, path: str, query: str) -> None:
        """With the query, without a lease, and without a body."""
        async with serving(loaded="b") as (proxy, runtime, _):
            reply = await ask(proxy.port, "GET", path + query)
        assert (reply.status, reply.json()) == (200, {"method": "GET", "path": path + query, "body": ""})
        assert admitted(runtime) == []

    @pytest.mark.parametrize("path", READS)
    async def test_without_a_model_nothing_is_loaded(self, path: str) -> None:
        """The error says how to name one."""
        async with serving() as (proxy, runtime, engine):
            reply = await ask(proxy.port, "GET", path)
        assert (reply.status, reply.error["code"]) == (400, "model_not_loaded")
        assert "'?model='" in reply.error["message"]
        assert (admitted(runtime), engine.exchanges) == ([], [])

    @pytest.mark.parametrize("path", ["/props", "/lora-adapters"])
    async def test_a_named_model_is_loaded(self, path: str) -> None:
        """As in llama.cpp's router, also with ``autoload=true``; ``autoload=false`` forbids it."""
        async with serving(loaded="b") as (proxy, runtime, _):
            refused = await ask(proxy.port, "GET", f"{path}?model=a&autoload=false")
            reply = await ask(proxy.port, "GET", f"{path}?model=a&autoload=true")
        assert (refused.status, refused.error["code"]) == (400, "model_not_loaded")
        assert (reply.status, admitted(runtime)) == (200, ["a"])

    @pytest.mark.parametrize("path", ["/slots", "/metrics"])
    async def test_slots_and_metrics_load_nothing(self, path: str) -> None:
        """A monitoring system polls them."""
        async with serving(loaded="b") as (proxy, runtime, engine):
            refused = await ask(proxy.port, "GET", f"{path}?model=a")
            reply = await ask(proxy.port, "GET", f"{path}?model=b")
        assert (refused.status, refused.error["code"]) == (400, "model_not_loaded")
        assert (reply.status, reply.json()["path"]) == (200, f"{path}?model=b")
        assert (admitted(runtime), len(engine.exchanges)) == ([], 1)

    async def test_own_metrics_stay(self) -> None:
        """Without a model ``/metrics`` is gglib's page, also while one is in memory."""
        async with serving(loaded="b") as (proxy, _, engine):
            reply = await ask(proxy.port, "GET", "/metrics?name=x")
        assert b"gglib_" in reply.body
        assert engine.exchanges == []

    async def test_any_kind_of_model_is_read(self) -> None:
        """There is no kind that has no properties."""
        async with serving(loaded="rank") as (proxy, _, _):
            assert (await ask(proxy.port, "GET", "/props")).status == 200

    async def test_head_sends_no_body(self) -> None:
        """The engine gets a GET."""
        async with serving(loaded="b") as (proxy, _, engine):
            reply = await ask(proxy.port, "HEAD", "/props")
        assert (reply.status, reply.body, engine.exchanges[0].method) == (200, b"", "GET")

    async def test_an_unknown_model_is_a_404(self) -> None:
        """It names the models."""
        async with serving() as (proxy, _, _):
            reply = await ask(proxy.port, "GET", "/props?model=c")
        assert (reply.status, reply.error["code"]) == (404, "model_not_found")

    async def test_paths_are_for_admins(self) -> None:
        """Others get the file name. Local programs are admins where no keys are set."""

        async def report(exchange: Exchange) -> None:
            await exchange.write(json_answer(PROPERTIES))

        async with serving(report, loaded="b", options=KEYS) as (proxy, _, _):
            admin = await ask(proxy.port, "GET", "/props", headers=key("admin"))
            client = await ask(proxy.port, "GET", "/props", headers=key("client"))
        assert admin.json() == PROPERTIES
        assert client.json() == {**PROPERTIES, "model_path": "a.gguf"}
        async with serving(report, loaded="b") as (proxy, _, _):
            assert (await ask(proxy.port, "GET", "/props")).json() == PROPERTIES

    async def test_a_key_does_not_see_another_model_in_memory(self) -> None:
        """For it none is in memory."""
        async with serving(loaded="a", options=KEYS) as (proxy, _, engine):
            hidden = await ask(proxy.port, "GET", "/props", headers=key("limited"))
            named = await ask(proxy.port, "GET", "/props?model=a", headers=key("limited"))
        assert (hidden.status, hidden.error["code"]) == (400, "model_not_loaded")
        assert (named.status, named.error["code"]) == (404, "model_not_found")
        assert engine.exchanges == []

    async def test_the_engines_status_of_busy_slots_is_kept(self) -> None:
        """Load balancers read the 503 of ``fail_on_no_slot``."""

        async def refuse(exchange: Exchange) -> None:
            error = {"error": {"code": 503, "message": "no slot available", "type": "unavailable_error"}}
            await exchange.write(json_answer(error, b"503 Service Unavailable"))

        async with serving(refuse, loaded="b") as (proxy, _, _):
            reply = await ask(proxy.port, "GET", "/slots?fail_on_no_slot=1")
        assert (reply.status, reply.error["message"]) == (503, "no slot available")

    async def test_an_engine_that_stops_meanwhile_is_a_502(self) -> None:
        """A read holds no lease."""

        async def stop(exchange: Exchange) -> None:
            exchange.abort()

        async with serving(stop, loaded="b") as (proxy, _, _):
            reply = await ask(proxy.port, "GET", "/props")
        assert (reply.status, reply.error["code"]) == (502, "upstream_error")


class TestChanges:
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/slots/0?action=save", b'{"filename":"a.bin"}'),
            ("POST", "/slots/0?action=erase", b""),
            ("POST", "/lora-adapters", b'[{"id":0,"scale":0.5}]'),
            ("POST", "/props", b"{}"),
            ("POST", "/v1/streams/lookup", b'{"conversation_ids":["c"]}'),
            ("DELETE", "/v1/stream?conv_id=c", b""),
        ],
    )
    async def test_the_model_in_memory_is_leased(self, method: str, path: str, body: bytes) -> None:
        """With its own context, so that it is not loaded again; the body is forwarded as it is."""
        async with serving(loaded="b") as (proxy, runtime, _):
            reply = await ask(proxy.port, method, path, body=body)
        assert reply.json() == {"method": method, "path": path, "body": body.decode()}
        assert [(lease.model_name, lease.num_ctx) for lease in runtime.admitted] == [("b", 512)]
        assert runtime.holds == 0

    async def test_the_body_or_the_query_names_the_model(self) -> None:
        """Changes load it; a body that is an array leaves the query."""
        async with serving(loaded="b") as (proxy, runtime, _):
            await ask(proxy.port, "POST", "/slots/0?action=erase", body=b'{"model":"a"}')
            await ask(proxy.port, "POST", "/lora-adapters?model=base", body=b"[]")
        assert admitted(runtime) == ["a", "base"]

    @pytest.mark.parametrize("method_and_path", ["POST /v1/streams/lookup", "GET /v1/stream?conv_id=c"])
    async def test_streams_load_nothing(self, method_and_path: str) -> None:
        """An engine that was unloaded has lost its streams."""
        method, path = method_and_path.split(" ")
        async with serving() as (proxy, runtime, _):
            reply = await ask(proxy.port, method, path, body=b"{}" if method == "POST" else None)
        assert (reply.status, reply.error["code"], admitted(runtime)) == (400, "model_not_loaded", [])

    @pytest.mark.parametrize("filename", ["../x", "/etc/x", "a/b", ""])
    async def test_a_path_never_reaches_the_engine(self, filename: str) -> None:
        """The engine would check it, too."""
        body = json.dumps({"filename": filename}).encode()
        async with serving(loaded="b") as (proxy, _, engine):
            reply = await ask(proxy.port, "POST", "/slots/0?action=save", body=body)
        assert (reply.status, reply.error["param"], engine.exchanges) == (400, "filename", [])

    async def test_a_compressed_body_is_refused(self) -> None:
        """The engine would read another body than the one that was checked."""
        headers = (("Content-Encoding", "gzip"),)
        async with serving(loaded="b") as (proxy, _, _):
            slot = await ask(proxy.port, "POST", "/slots/0", body=b"{}", headers=headers)
            load = await ask(proxy.port, "POST", "/models/load", body=b"{}", headers=headers)
            ranks = await ask(proxy.port, "POST", "/rerank", body=b"{}", headers=headers)
        assert [slot.status, load.status, ranks.status] == [415, 415, 415]

    async def test_what_the_engine_does_not_permit_is_a_4xx(self) -> None:
        """A 501 would be sent again by clients."""

        async def refuse(exchange: Exchange) -> None:
            error = {
                "error": {
                    "code": 501,
                    "message": "This server does not support slots action. Start it with `--slot-save-path`",
                    "type": "not_supported_error",
                }
            }
            await exchange.write(json_answer(error, b"501 Not Implemented"))

        async with serving(refuse, loaded="b") as (proxy, _, _):
            reply = await ask(proxy.port, "POST", "/slots/0?action=erase", body=b"")
        assert (reply.status, reply.error["code"]) == (400, "unsupported_by_model")

    async def test_a_stream_is_resumed(self) -> None:
        """Its events are relayed as they come."""

        async def stream(exchange: Exchange) -> None:
            await exchange.write(SSE_HEAD + chunked(b'data: {"choices":[]}\n\n') + b"0\r\n\r\n")

        async with serving(stream, loaded="b") as (proxy, runtime, _):
            reply = await ask(proxy.port, "GET", "/v1/stream?conv_id=c&from=0")
        assert (reply.status, reply.body) == (200, b'data: {"choices":[]}\n\n')
        assert reply.values("content-type") == ["text/event-stream"]
        assert admitted(runtime) == ["b"]


class TestRouter:
    async def test_a_model_is_loaded(self) -> None:
        """The response is the router's."""
        async with serving() as (proxy, runtime, _):
            reply = await ask(proxy.port, "POST", "/models/load", body=b'{"model":"a","extra":1}')
            current = await runtime.current_model()
        assert (reply.status, reply.json()) == (200, {"success": True})
        assert current is not None
        assert current.model_name == "a"

    async def test_a_slow_load_continues_after_the_response(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also if the client disconnects, and until the server stops."""
        monkeypatch.setattr("gglib.proxy.routes.llama_cpp.router.LOAD_WAIT_S", 0.0)
        async with serving() as (proxy, runtime, _):
            runtime.gate = asyncio.Event()
            reply = await ask(proxy.port, "POST", "/models/load", body=b'{"model":"a"}')
            await until(lambda: runtime.waiting == 1)
            runtime.gate.set()
            await until(lambda: runtime.waiting == 0)
            current = await runtime.current_model()
            runtime.gate.clear()
            await ask(proxy.port, "POST", "/models/load", body=b'{"model":"b"}')
            await until(lambda: runtime.waiting == 1)
        assert (reply.status, reply.json()) == (200, {"success": True})
        assert current is not None
        assert current.model_name == "a"
        assert runtime.waiting == 0

    async def test_an_early_error_is_the_response(self) -> None:
        """A later one is in the events of the router."""
        async with serving() as (proxy, runtime, _):
            runtime.fails_with = ModelLoadFailedError("a", "no such file")
            reply = await ask(proxy.port, "POST", "/models/load", body=b'{"model":"a"}')
        assert (reply.status, reply.error["code"]) == (500, "model_load_failed")

    async def test_a_model_is_unloaded(self) -> None:
        """By any of its names."""
        async with serving(loaded="b") as (proxy, runtime, _):
            reply = await ask(proxy.port, "POST", "/models/unload", body=b'{"model":"B"}')
            assert await runtime.current_model() is None
        assert (reply.status, reply.json(), runtime.unloaded) == (200, {"success": True}, ["b"])

    @pytest.mark.parametrize(
        ("path", "body", "status", "message"),
        [
            ("load", b'{"model":"b"}', 400, "Model 'b' is already running."),
            ("unload", b'{"model":"a"}', 400, "Model 'a' is not running."),
            ("load", b'{"model":"c"}', 404, "'c'"),
            ("unload", b'{"model":"c"}', 404, "'c'"),
            ("load", b"{}", 400, "'model' is missing"),
            ("unload", b"", 400, "'model' is missing"),
            ("load", b"x", 400, "not valid JSON"),
        ],
    )
    async def test_what_has_no_effect_is_refused(
        self, path: str, body: bytes, status: int, message: str
    ) -> None:
        """As in the router, which loads and unloads nothing twice."""
        async with serving(loaded="b") as (proxy, runtime, _):
            reply = await ask(proxy.port, "POST", f"/models/{path}", body=body)
        assert reply.status == status
        assert message in reply.error["message"]
        assert (admitted(runtime), runtime.unloaded) == ([], [])

    async def test_events_have_the_routers_form(self) -> None:
        """Those from the connection on; others than loads and unloads are left out."""
        async with serving() as (proxy, runtime, _), await connect(proxy.port) as client:
            await client.send("GET", "/models/sse")
            head = await client.read_until(b"\r\n\r\n")
            await until(lambda: len(runtime.subscriptions) == 1)
            runtime.publish(RequestQueued(model_name="a", request_id="r"))
            runtime.publish(ModelLoading(model_id=1, model_name="a", effective_ctx=512, expected_s=1.0))
            runtime.publish(ModelReady(model_id=1, model_name="a", load_s=1.0))
            events = [await client.read_until(b"\n\n"), await client.read_until(b"\n\n")]
        assert b"content-type: text/event-stream" in head.lower()
        assert [json.loads(event[event.index(b"{") :]) for event in events] == [
            {"model": "a", "event": "model_status", "data": {"status": "loading"}},
            {"model": "a", "event": "status_change", "data": {"status": "loaded"}},
        ]

    async def test_a_quiet_event_stream_has_heartbeats(self) -> None:
        """So that no client times out."""
        options = ProxyOptions(heartbeat_s=0.01)
        async with serving(options=options) as (proxy, _, _), await connect(proxy.port) as client:
            await client.send("GET", "/models/sse")
            await client.read_until(b"\r\n\r\n")
            assert (await client.read_until(b"\n\n")).endswith(b":\n\n")

    async def test_events_need_a_runtime_that_has_them(self) -> None:
        """Without them the response is an error; HEAD of a stream ends."""
        async with serving() as (proxy, runtime, _):
            head = await ask(proxy.port, "HEAD", "/models/sse")
            runtime.subscribe = lambda: None  # type: ignore[method-assign, assignment, return-value]
            reply = await ask(proxy.port, "GET", "/models/sse")
        assert (head.status, reply.status) == (200, 501)


class TestKinds:
    @pytest.mark.parametrize(
        ("path", "name", "message"),
        [
            (CHAT, "embed", "Model 'embed' only creates embeddings: use another model, such as a, b."),
            (CHAT, "rank", "Model 'rank' only ranks texts: use another model, such as a, b."),
            ("/v1/responses", "embed", "only creates embeddings"),
            ("/completion", "embed", "only creates embeddings"),
            ("/v1/messages/count_tokens", "rank", "only ranks texts"),
            (
                "/v1/embeddings",
                "a",
                "Model 'a' is not served for embeddings: use another model, such as embed",
            ),
            ("/embedding", "rank", "Model 'rank' is not served for embeddings"),
            ("/v1/rerank", "a", "Model 'a' is not served for reranking: use another model, such as rank"),
            ("/v2/rerank", "embed", "Model 'embed' is not served for reranking"),
        ],
    )
    async def test_a_model_of_another_kind_is_refused_before_a_load(
        self, path: str, name: str, message: str
    ) -> None:
        """The error names models that can do it, and nothing was admitted."""
        fields = {"input": "x"} if path == "/v1/responses" else {}
        body = json.dumps({"model": name, **fields}).encode()
        async with serving() as (proxy, runtime, _):
            reply = await ask(proxy.port, "POST", path, body=body)
        assert reply.status == 400
        assert message in reply.body.decode()
        assert admitted(runtime) == []

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            (CHAT, "a"),
            ("/v1/embeddings", "embed"),
            ("/v1/rerank", "rank"),
            *((path, "base") for path in (CHAT, "/v1/embeddings", "/v1/rerank", "/infill")),
            *(
                (path, name)
                for path in ("/tokenize", "/detokenize")
                for name in ("a", "embed", "rank", "base")
            ),
            ("/apply-template", "rank"),
        ],
    )
    async def test_other_requests_reach_the_engine(self, path: str, name: str) -> None:
        """A model of unknown kind may be of any, and every model has tokens."""
        async with serving() as (proxy, runtime, _):
            reply = await ask(proxy.port, "POST", path, body=json.dumps({"model": name}).encode())
        assert (reply.status, admitted(runtime)) == (200, [name])

    async def test_tokens_without_a_model_are_those_of_the_one_in_memory(self) -> None:
        """Whatever its kind."""
        async with serving(loaded="rank") as (proxy, runtime, _):
            reply = await ask(proxy.port, "POST", "/tokenize", body=b'{"content":"x"}')
        assert (reply.status, admitted(runtime)) == (200, ["rank"])


class TestRerank:
    @pytest.mark.parametrize("path", ["/v1/rerank", "/v1/reranking", "/rerank", "/reranking", "/v2/rerank"])
    async def test_a_plain_body_is_forwarded_as_it_is(self, path: str) -> None:
        """To the same path, except Cohere's, which the engine does not have."""
        body = '{"model": "rank",  "query": "q", "texts": ["a"]}'
        async with serving() as (proxy, _, _):
            reply = await ask(proxy.port, "POST", path, body=body.encode())
        assert reply.json() == {"method": "POST", "path": "/v1/rerank", "body": body}

    @pytest.mark.parametrize("padding", [0, 100_000])
    async def test_documents_come_back(self, padding: int) -> None:
        """Documents that are objects reach the engine as texts; a long body is translated in a thread."""

        async def rank(exchange: Exchange) -> None:
            assert json.loads(exchange.body)["documents"] == ["x" * padding, "y"]
            await exchange.write(json_answer({"results": [{"index": 1, "relevance_score": 2.5}]}))

        documents = [{"text": "x" * padding}, {"text": "y"}]
        body = {"model": "rank", "query": "q", "documents": documents, "return_documents": True}
        async with serving(rank) as (proxy, _, _):
            reply = await ask(proxy.port, "POST", "/v1/rerank", body=json.dumps(body).encode())
        assert reply.json() == {"results": [{"index": 1, "relevance_score": 2.5, "document": {"text": "y"}}]}

    async def test_an_invalid_document_is_named(self) -> None:
        """Nothing is sent to the engine."""
        body = b'{"model":"rank","query":"q","documents":[{"text":"a"},{"title":"b"}]}'
        async with serving() as (proxy, _, engine):
            reply = await ask(proxy.port, "POST", "/rerank", body=body)
        assert (reply.status, reply.error["param"], engine.exchanges) == (400, "documents[1]", [])


class TestOtherPaths:
    @pytest.mark.parametrize(
        "path", ["/favicon.ico", "/robots.txt", "/.well-known/oauth-authorization-server/x"]
    )
    async def test_odd_paths_are_quiet(self, path: str, caplog: pytest.LogCaptureFixture) -> None:
        """404 without a key and without a line in the access log; other unknown paths have one."""
        with caplog.at_level(logging.INFO, "gglib.access"):
            async with serving(options=KEYS) as (proxy, _, _):
                reply = await ask(proxy.port, "GET", path)
                other = await ask(proxy.port, "GET", "/nothing", headers=key("client"))
        assert (reply.status, reply.error["code"]) == (404, "not_found")
        assert other.status == 404
        assert path not in caplog.text
        assert "/nothing" in caplog.text

    async def test_health_has_a_second_path(self) -> None:
        """Also without a key."""
        async with serving(options=KEYS) as (proxy, _, _):
            reply = await ask(proxy.port, "GET", "/v1/health")
        assert (reply.status, reply.json()) == (200, {"status": "ok"})

    async def test_lm_studio_lists_the_models_of_the_key(self) -> None:
        """Both formats, with the state of each model."""
        async with serving(loaded="b", options=KEYS) as (proxy, _, _):
            old = await ask(proxy.port, "GET", "/api/v0/models", headers=key("limited"))
            new = await ask(proxy.port, "GET", "/api/v1/models", headers=key("client"))
        assert [(model["id"], model["state"]) for model in old.json()["data"]] == [("b", "loaded")]
        assert [model["key"] for model in new.json()["models"]] == ["a", "b", "embed", "base"]
