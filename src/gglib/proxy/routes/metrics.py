"""Serves the metrics for Prometheus."""

import asyncio
import importlib

from gglib.core.nodes import ClusterOverview
from gglib.proxy.forward_query import EngineRoute, forward_query
from gglib.proxy.names.named_model import read_named_model
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response

_PROMETHEUS = "gglib.proxy.telemetry.prometheus"
_OF_ENGINE = EngineRoute(loads=False, is_read=True)


async def show_metrics(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /metrics``: the current metrics in text format 0.0.4; with ``?model=`` those of the model's engine."""
    if read_named_model(request.query).name is not None:
        await forward_query(request, response, services, route=_OF_ENGINE)
        return
    # prometheus_client is slow to import and to render: both run in a thread, so that streams do not wait.
    await asyncio.to_thread(importlib.import_module, _PROMETHEUS)
    from gglib.proxy.telemetry.prometheus import CONTENT_TYPE, MetricsSnapshot, render  # noqa: PLC0415 - imported above

    recorder = services.recorder
    status = await services.runtime.status()
    history = None if services.history is None else services.history.statistics()
    cluster = ClusterOverview() if services.cluster is None else services.cluster.view.overview()
    snapshot = MetricsSnapshot(recorder.metrics(), status, recorder.connection_count(), history, cluster)
    body = await asyncio.to_thread(render, snapshot.collect())
    await response.send_body(body, [(b"content-type", CONTENT_TYPE)])
