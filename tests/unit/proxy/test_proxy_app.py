"""The proxy application without the HTTP server."""

import json

from gglib.core.models import ModelSummary
from gglib.http.client.pool import UpstreamPool
from gglib.http.request_head import parse_head
from gglib.http.server.body import RequestBody
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.access.hosts import HostRules
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.app import ProxyApp
from gglib.proxy.models import ModelObjects
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.recorder import RequestRecorder
from gglib.testing import FakeCatalog, FakeRuntime

from .test_proxy_response import FakeTransport


async def test_request_that_comes_after_the_end_is_refused() -> None:
    """Once it is told to stop, the program answers every request with 503."""
    services = Services(
        runtime=FakeRuntime(),
        catalog=FakeCatalog([ModelSummary(id=1, name="tiny")]),
        pool=UpstreamPool(connect_timeout_s=1),
        model_objects=ModelObjects(1),
        recorder=RequestRecorder(route_of),
        default_ctx=1,
        options=ProxyOptions(),
    )
    app = ProxyApp(services, AccessPolicy(HostRules(frozenset(), frozenset()), CorsRules(), AccessKeys({})))
    transport = FakeTransport()

    def a_request() -> ProxyRequest:
        head = parse_head(b"GET /v1/models HTTP/1.1\r\nHost: localhost")
        return ProxyRequest(head, 0, RequestBody(limit_bytes=0), transport)

    await app.handle(a_request(), transport)
    app.stop()
    await app.handle(a_request(), transport)
    assert [sent.split(b" ")[1] for sent in transport.sent] == [b"200", b"503"]
    assert json.loads(transport.sent[1].partition(b"\r\n\r\n")[2])["error"]["code"] == "shutting_down"
