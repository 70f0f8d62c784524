"""What a running gglib knows of its nodes."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gglib.cli.server.client import get_json, get_json_async
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError

if TYPE_CHECKING:
    from gglib.app.settings import Settings

NODES_PATH = "/gglib/nodes"
NO_NODES: dict[str, Any] = {"nodes": [], "conflicts": []}
"""The response of a server without nodes."""


def get_nodes(server: Endpoint) -> dict[str, Any]:
    """Return ``responses.Nodes``; one without nodes of a server that is too old to have any."""
    with suppress(GglibError):
        nodes: dict[str, Any] = get_json(server, NODES_PATH, "Nodes")
        return nodes
    return NO_NODES


async def get_nodes_async(server: Endpoint) -> dict[str, Any]:
    """Like ``get_nodes``."""
    with suppress(GglibError):
        nodes: dict[str, Any] = await get_json_async(server, NODES_PATH, "Nodes")
        return nodes
    return NO_NODES


def front_of(settings: "Settings") -> Endpoint | None:
    """Return the running server of this home if the settings have nodes, or a cluster whose nodes it uses."""
    from gglib.cli.server.instance import find_instance

    has_nodes = bool(settings.nodes) or settings.cluster_address is not None
    instance = find_instance(settings) if has_nodes else None
    return None if instance is None else instance.endpoint
