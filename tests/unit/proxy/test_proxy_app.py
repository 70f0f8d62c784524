"""The proxy application without the HTTP server."""

import json

import pytest

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


def an_app() -> ProxyApp:
    """Return an app without keys."""
    services = Services(
        runtime=FakeRuntime(),
        catalog=FakeCatalog([ModelSummary(id=1, name="tiny")]),
        pool=UpstreamPool(connect_timeout_s=1),
        model_objects=ModelObjects(1),
        recorder=RequestRecorder(route_of),
        default_ctx=1,
        options=ProxyOptions(),
    )
    return ProxyApp(services, AccessPolicy(HostRules(frozenset(), frozenset()), CorsRules(), AccessKeys({})))


def a_request(transport: FakeTransport, fields: bytes = b"Host: localhost") -> ProxyRequest:
    """Return a request with these headers."""
    head = parse_head(b"GET /v1/models HTTP/1.1\r\n" + fields)
    return ProxyRequest(head, 0, RequestBody(limit_bytes=0), transport)


@pytest.mark.parametrize("host", [b"Host: a@b\r\n", b"Host: [::1\r\n"])
@pytest.mark.parametrize("page", [b"Origin: http://localhost", b"Sec-Fetch-Site: same-origin"])
async def test_a_page_with_an_unreadable_host_gets_a_response(host: bytes, page: bytes) -> None:
    """Whether the caller is an admin is also checked for the error."""
    app, transport = an_app(), FakeTransport()
    transport.peer_host = transport.server_host = "127.0.0.1"
    await app.handle(a_request(transport, host + page), transport)
    assert [sent.split(b" ")[1] for sent in transport.sent] == [b"400"]


async def test_request_that_comes_after_the_end_is_refused() -> None:
    """Once ``stop`` was called, the response to every request is 503."""
    app, transport = an_app(), FakeTransport()
    await app.handle(a_request(transport), transport)
    app.stop()
    await app.handle(a_request(transport), transport)
    assert [sent.split(b" ")[1] for sent in transport.sent] == [b"200", b"503"]
    assert json.loads(transport.sent[1].partition(b"\r\n\r\n")[2])["error"]["code"] == "shutting_down"


@pytest.mark.parametrize(
    ("peer", "client"),
    [("::ffff:192.168.1.7", "192.168.1.7"), ("fd00::2", "fd00::2"), ("10.0.0.1", "10.0.0.1"), (None, None)],
)
async def test_a_client_has_one_address_in_the_log(peer: str | None, client: str | None) -> None:
    """On a dual-stack socket (``host = "::"``) IPv4 clients arrive with mapped addresses; refused requests, too."""
    app, transport = an_app(), FakeTransport()
    transport.peer_host = peer
    request, refused = a_request(transport), a_request(transport, b"Host: a@b")
    await app.handle(request, transport)
    await app.handle(refused, transport)
    assert (request.client, refused.client) == (client, client)
