"""The ASGI program by itself, without a server."""

import json

from gglib.core.models import ModelSummary
from gglib.proxy.app import ProxyApp
from gglib.proxy.asgi import Message, Scope
from gglib.proxy.model_objects import ModelObjects
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.upstream import UpstreamPool
from gglib.testing import FakeCatalog, FakeRuntime

SCOPE: Scope = {
    "type": "http",
    "method": "GET",
    "path": "/v1/models",
    "raw_path": b"/v1/models",
    "query_string": b"",
    "headers": [],
}


async def test_request_that_comes_after_the_end_is_refused() -> None:
    """Once it is told to stop, the program answers every request with 503."""
    services = Services(
        runtime=FakeRuntime(),
        catalog=FakeCatalog([ModelSummary(id=1, name="tiny")]),
        pool=UpstreamPool(connect_timeout_s=1),
        model_objects=ModelObjects(1),
        default_ctx=1,
        options=ProxyOptions(),
    )
    app = ProxyApp(services)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(SCOPE, receive, send)
    app.stop()
    await app(SCOPE, receive, send)
    assert [message["status"] for message in sent[::2]] == [200, 503]
    assert json.loads(sent[3]["body"])["error"]["code"] == "shutting_down"
