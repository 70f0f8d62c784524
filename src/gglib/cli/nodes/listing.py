"""Shows what is known of the nodes."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from gglib.app.nodes import look_at, peers_of
from gglib.cli.server.nodes import NO_NODES, front_of, get_nodes
from gglib.cli.views import nodes, render
from gglib.core.nodes import NodeSnapshot

if TYPE_CHECKING:
    from gglib.app.settings import Settings


def show_nodes(settings: "Settings", *, as_json: bool) -> None:
    """Print the nodes as the running server sees them, or as they answer now if none runs with nodes."""
    server = front_of(settings)
    found = NO_NODES if server is None else get_nodes(server)
    if not found["nodes"]:
        looked_at = asyncio.run(look_at(peers_of(settings.nodes, os.environ)))
        found = {**NO_NODES, "nodes": [node_json(node) for node in looked_at]}
    if as_json:
        render.show_json(found)
    elif not found["nodes"]:
        render.show_note(nodes.NO_NODES if settings.cluster_address is None else nodes.NO_NODES_BY_ADDRESS)
    else:
        show_table(found["nodes"])
        for line in nodes.problem_lines(found["nodes"], found["conflicts"]):
            render.echo(line, is_error=True)


def node_json(node: NodeSnapshot) -> dict[str, Any]:
    """Return a node that this command has looked at, as ``GET /gglib/nodes`` has it."""
    import msgspec

    from gglib.proxy.routes.responses import Node

    shown: dict[str, Any] = msgspec.to_builtins(Node.of(node, sent=0, now_s=monotonic(), own_version=""))
    return shown


def show_table(found: Sequence[Mapping[str, Any]]) -> None:
    """Print a row for each node."""
    render.show_table(
        nodes.COLUMNS,
        nodes.node_rows(found),
        wrapped=nodes.WRAPPED,
        droppable=nodes.DROPPABLE,
        styles={"STATE": nodes.STATE_STYLES},
    )
