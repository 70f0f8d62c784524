"""Ends the exchanges with nodes that are gone: over a cut network no end of a response ever arrives."""

import asyncio
import contextlib

from gglib.core.nodes import NodeState
from gglib.core.ports.nodes import NodesPort
from gglib.http.client.connect import ServerAddress
from gglib.http.client.pool import UpstreamPool

SILENT_S = 2.0
"""A node that is down and has sent no content of a response for as long will send none: two probes failed meanwhile."""
LOOK_AGAIN_S = 0.25
"""While a node is down: its exchanges become silent one after the other, also after its last change."""
REASON = "is gone: it answers neither this request nor the probes"


async def break_off_lost(nodes: NodesPort, pool: UpstreamPool) -> None:
    """Break off the silent exchanges with each node that is down, for as long as it is down, until cancelled."""
    changes = -1
    while True:
        is_any_down = False
        for snapshot in nodes.snapshots():
            endpoint = nodes.endpoint(snapshot.name) if snapshot.state is NodeState.DOWN else None
            if endpoint is not None:
                is_any_down = True
                pool.break_off_silent(ServerAddress(endpoint.url, None, endpoint.key), REASON, SILENT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_S if is_any_down else None):
                changes = await nodes.wait_for_change(changes)
