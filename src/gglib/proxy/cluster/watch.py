"""Ends the exchanges with nodes that are gone: over a cut network no end of a response ever arrives."""

from gglib.core.nodes import NodeState
from gglib.core.ports.nodes import NodesPort
from gglib.http.client.connect import ServerAddress
from gglib.http.client.pool import UpstreamPool

SILENT_S = 2.0
"""A node that is down and has sent no content of a response for as long will send none: two probes failed meanwhile."""
REASON = "is gone: it answers neither this request nor the probes"


async def break_off_lost(nodes: NodesPort, pool: UpstreamPool) -> None:
    """Break off the waiting exchanges with each node that is down, at each change, until cancelled."""
    changes = -1
    while True:
        changes = await nodes.wait_for_change(changes)
        for snapshot in nodes.snapshots():
            endpoint = nodes.endpoint(snapshot.name) if snapshot.state is NodeState.DOWN else None
            if endpoint is not None:
                pool.break_off_silent(ServerAddress(endpoint.url, None, endpoint.key), REASON, SILENT_S)
