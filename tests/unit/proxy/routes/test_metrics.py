"""``GET /metrics`` without sockets: the counts of the request history."""

from dataclasses import dataclass
from typing import cast

from tests.unit.proxy.test_proxy_response import FakeTransport

from gglib.core.ports import HistoryStatistics, RequestHistoryPort
from gglib.http.client.pool import UpstreamPool
from gglib.http.request_head import parse_head
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.access.hosts import HostRules
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.app import ProxyApp
from gglib.proxy.models import ModelObjects
from gglib.proxy.options import LiveHistory, ProxyOptions, Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.recorder import RequestRecorder
from gglib.testing import FakeCatalog, FakeRuntime


@dataclass
class Counts:
    """A history of which only the counts are read."""

    counts: HistoryStatistics

    def statistics(self) -> HistoryStatistics:
        """Return the counts."""
        return self.counts


async def page_with(history: Counts | None) -> str:
    """Return the metrics of a server with this history."""
    services = Services(
        runtime=FakeRuntime(),
        catalog=FakeCatalog([]),
        pool=UpstreamPool(connect_timeout_s=1),
        model_objects=ModelObjects(1),
        recorder=RequestRecorder(route_of),
        default_ctx=1,
        options=ProxyOptions(),
        live_history=LiveHistory(cast("RequestHistoryPort | None", history)),
    )
    policy = AccessPolicy(HostRules(frozenset(), frozenset()), CorsRules(), AccessKeys({}))
    transport = FakeTransport()
    head = parse_head(b"GET /metrics HTTP/1.1\r\nHost: localhost")
    await ProxyApp(services, policy).handle(ProxyRequest(head, 0, b"", transport), transport)
    return b"".join(transport.sent).decode()


async def test_counts_of_the_history_are_shown() -> None:
    """As they are at the scrape; without a history there are none."""
    page = await page_with(Counts(HistoryStatistics(recorded=7, lost=3, size_bytes=512)))
    assert 'gglib_history_requests_total{outcome="stored"} 7.0\n' in page
    assert 'gglib_history_requests_total{outcome="lost"} 3.0\n' in page
    assert "gglib_history_size_bytes 512.0\n" in page
    assert "\ngglib_history_" not in await page_with(None)
