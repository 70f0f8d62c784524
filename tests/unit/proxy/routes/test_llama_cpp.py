"""llama.cpp's own routes without sockets: what is refused, loaded and unloaded before an engine is reached."""

import asyncio
import json
from typing import Any

import pytest
from tests.support.waiting import until
from tests.unit.proxy.test_proxy_response import FakeTransport

from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import ModelCapabilities, ModelSummary, RunningTarget
from gglib.core.runtime.events import ModelReady, RequestQueued
from gglib.http.client.pool import UpstreamPool
from gglib.http.request_head import parse_head
from gglib.http.tasks import BackgroundTasks
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.access.hosts import HostRules
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.app import ProxyApp
from gglib.proxy.models import ModelObjects
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.routes.llama_cpp import router
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.recorder import RequestRecorder
from gglib.testing import FakeCatalog, FakeRuntime

CHAT = ModelSummary(id=1, name="chat", capabilities=ModelCapabilities(chat=True))
RANK = ModelSummary(id=2, name="rank", capabilities=ModelCapabilities(rerank=True))
NOWHERE = "/nonexistent/engine.sock"


class Server:
    """An app whose engines cannot be reached, and the last response."""

    def __init__(self, *, loaded: str | None = None) -> None:
        target = RunningTarget(
            base_url="http://engine", model_id=1, model_name="chat", effective_ctx=512, unix_socket=NOWHERE
        )
        self.runtime = FakeRuntime({"chat": target})
        self.loaded = loaded
        self.background = BackgroundTasks()
        services = Services(
            runtime=self.runtime,
            catalog=FakeCatalog([CHAT, RANK]),
            pool=UpstreamPool(connect_timeout_s=1),
            model_objects=ModelObjects(1),
            recorder=RequestRecorder(route_of),
            default_ctx=1,
            options=ProxyOptions(),
            background=self.background,
        )
        policy = AccessPolicy(HostRules(frozenset(), frozenset()), CorsRules(), AccessKeys({}))
        self.app = ProxyApp(services, policy)
        self.transport = FakeTransport()

    async def ask(
        self, method: str, path: str, body: bytes = b"", *, is_local: bool = True
    ) -> tuple[int, Any]:
        """Send a request and return status and JSON of its response."""
        if self.loaded is not None:
            await self.runtime.ensure_model_running(self.loaded, None, 1)
        self.transport = FakeTransport()
        if is_local:
            self.transport.peer_host = self.transport.server_host = "127.0.0.1"
        head = parse_head(f"{method} {path} HTTP/1.1\r\nHost: localhost".encode())
        await self.app.handle(ProxyRequest(head, len(body), body, self.transport), self.transport)
        status, _, content = b"".join(self.transport.sent).partition(b"\r\n\r\n")
        return int(status.split(b" ")[1]), json.loads(content) if content else None


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/props", b"", 400, "model_not_loaded"),
        ("GET", "/slots?model=chat", b"", 400, "model_not_loaded"),
        ("GET", "/metrics?model=chat", b"", 400, "model_not_loaded"),
        ("GET", "/props?model=chat&autoload=false", b"", 400, "model_not_loaded"),
        ("GET", "/props?model=nope", b"", 404, "model_not_found"),
        ("POST", "/slots/0?action=save", b'{"filename":"../x"}', 400, "invalid_request"),
        ("POST", "/lora-adapters", b"[]", 400, "model_not_loaded"),
        ("POST", "/models/load", b"{}", 400, "invalid_request"),
        ("POST", "/models/unload", b'{"model":"chat"}', 400, "invalid_request"),
        ("POST", "/models/load", b'{"model":"nope"}', 404, "model_not_found"),
        ("POST", "/v1/chat/completions", b'{"model":"rank"}', 400, "unsupported_by_model"),
        ("POST", "/v1/rerank", b'{"model":"chat"}', 400, "unsupported_by_model"),
        ("POST", "/v2/rerank", b'{"model":"rank","top_n":-1}', 400, "invalid_request"),
        ("POST", "/rerank", b'{"model":"chat","documents":[{"text":"a"}]}', 400, "unsupported_by_model"),
        ("GET", "/favicon.ico", b"", 404, "not_found"),
    ],
)
async def test_what_needs_no_engine_is_refused(
    method: str, path: str, body: bytes, status: int, code: str
) -> None:
    """Nothing is loaded for it."""
    server = Server()
    answer = await server.ask(method, path, body)
    assert (answer[0], answer[1]["error"]["code"]) == (status, code)
    assert server.runtime.admitted == []


@pytest.mark.parametrize("method_and_path", ["GET /props", "GET /slots?model=chat", "POST /props"])
async def test_an_engine_that_is_gone_is_a_502(method_and_path: str) -> None:
    """Reads hold no lease, changes do."""
    method, path = method_and_path.split(" ")
    server = Server(loaded="chat")
    status, content = await server.ask(method, path)
    assert (status, content["error"]["code"]) == (502, "upstream_error")
    assert len(server.runtime.admitted) == (method == "POST")


async def test_a_named_model_is_loaded_for_its_properties() -> None:
    """The engine is then asked."""
    server = Server()
    assert (await server.ask("GET", "/props?model=chat"))[0] == 502
    assert [lease.model_name for lease in server.runtime.admitted] == ["chat"]


async def test_lists_of_lm_studio() -> None:
    """Both formats."""
    server = Server(loaded="chat")
    old, new = await server.ask("GET", "/api/v0/models"), await server.ask("GET", "/api/v1/models")
    assert [model["state"] for model in old[1]["data"]] == ["loaded"]
    assert [model["key"] for model in new[1]["models"]] == ["chat"]


async def test_load_and_unload() -> None:
    """Each responds with the router's success; what has no effect is refused."""
    server = Server()
    assert await server.ask("POST", "/models/load", b'{"model":"chat"}') == (200, {"success": True})
    assert (await server.ask("POST", "/models/load", b'{"model":"chat"}'))[0] == 400
    assert await server.ask("POST", "/models/unload", b'{"model":"chat"}') == (200, {"success": True})
    assert await server.runtime.current_model() is None


async def test_a_load_continues_after_the_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is then not that of a request; the end of the server cancels it."""
    monkeypatch.setattr(router, "LOAD_WAIT_S", 0.0)
    server = Server()
    server.runtime.gate = asyncio.Event()
    assert (await server.ask("POST", "/models/load", b'{"model":"chat"}'))[0] == 200
    server.runtime.fails_with = ModelLoadFailedError("chat", "x")
    server.runtime.gate.set()
    await until(lambda: not server.runtime.waiting)
    server.runtime.gate.clear()
    assert (await server.ask("POST", "/models/load", b'{"model":"chat"}'))[0] == 200
    await until(lambda: server.runtime.waiting == 1)
    await server.background.close()
    assert server.runtime.waiting == 0


async def test_an_early_error_of_a_load_is_the_response() -> None:
    """A missing file, for example."""
    server = Server()
    server.runtime.fails_with = ModelLoadFailedError("chat", "no file")
    status, content = await server.ask("POST", "/models/load", b'{"model":"chat"}')
    assert (status, content["error"]["code"]) == (500, "model_load_failed")


async def test_events_of_the_router() -> None:
    """Loads and unloads only, until the client disconnects."""
    server = Server()
    task = asyncio.create_task(server.ask("GET", "/models/sse"))
    await until(lambda: len(server.runtime.subscriptions) == 1)
    server.runtime.publish(RequestQueued(model_name="chat", request_id="r"))
    server.runtime.publish(ModelReady(model_id=1, model_name="chat", load_s=1.0))
    await until(lambda: len(server.transport.sent) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert b'"event":"status_change"' in server.transport.sent[1]
    assert len(server.transport.sent) == 2


async def test_admins_only() -> None:
    """A client of another machine reads, and changes nothing."""
    server = Server(loaded="chat")
    for path in ("/props", "/slots/0", "/lora-adapters", "/models/load", "/models/unload"):
        assert (await server.ask("POST", path, is_local=False))[0] == 403
    assert (await server.ask("GET", "/models/sse", is_local=False))[0] == 403
    assert server.runtime.admitted == []
