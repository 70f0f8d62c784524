"""Converts responses of the server to values, for ``gglib top``. Pure.

Fields that this version does not know are ignored; a missing or malformed one is an ``UpstreamError``.
"""

from dataclasses import dataclass

from gglib.cli.history.query import REQUESTS_PATH
from gglib.cli.history.results import FoundRequests
from gglib.cli.server.instance import STATUS_PATH
from gglib.cli.server.nodes import NODES_PATH
from gglib.cli.server.response_json import decoded
from gglib.cli.server.watch import EVENTS_PATH
from gglib.core.addresses import Endpoint
from gglib.core.history.requests import StoredRequest
from gglib.core.runtime.status import SwapStatus
from gglib.proxy.routes.responses import Node, Nodes, Status


@dataclass(frozen=True, slots=True)
class _SwapEvent:
    swap: SwapStatus


def parse_status(server: Endpoint, content: object) -> Status:
    """Return the response of ``GET /gglib/status``, or a ``snapshot`` event."""
    return decoded(server, f"GET {STATUS_PATH}", content, Status)


def parse_nodes(server: Endpoint, content: object) -> tuple[Node, ...]:
    """Return the nodes of a response of ``GET /gglib/nodes``."""
    return decoded(server, f"GET {NODES_PATH}", content, Nodes).nodes


def parse_requests(server: Endpoint, content: object) -> FoundRequests:
    """Return a response of ``GET /gglib/requests``."""
    return decoded(server, f"GET {REQUESTS_PATH}", content, FoundRequests)


def parse_finished(server: Endpoint, content: object) -> StoredRequest:
    """Return the request of a ``request_finished`` event."""
    return decoded(server, f"GET {EVENTS_PATH}", content, StoredRequest)


def parse_swap(server: Endpoint, content: object) -> SwapStatus:
    """Return the swap of a ``swap`` event."""
    return decoded(server, f"GET {EVENTS_PATH}", content, _SwapEvent).swap
