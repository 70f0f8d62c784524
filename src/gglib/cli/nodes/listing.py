"""Probes nodes and shows what is known of them."""

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gglib.app.nodes import look_at, peers_of
from gglib.cli.views import nodes, render
from gglib.core.nodes import NodeSnapshot

if TYPE_CHECKING:
    from gglib.app.settings import Settings


def show_nodes(settings: "Settings", *, as_json: bool) -> None:
    """Probe all nodes of the settings, and print them."""
    found = asyncio.run(look_at(peers_of(settings.nodes, os.environ)))
    if as_json:
        render.show_json([nodes.node_fields(node) for node in found])
    elif not found:
        render.show_note(nodes.NO_NODES)
    else:
        show_table(found)
        for line in nodes.failure_lines(found):
            render.echo(line, is_error=True)


def show_table(found: Sequence[NodeSnapshot]) -> None:
    """Print a row for each node."""
    render.show_table(
        nodes.COLUMNS,
        nodes.node_rows(found),
        wrapped=nodes.WRAPPED,
        droppable=nodes.DROPPABLE,
        styles={"STATE": nodes.STATE_STYLES},
    )
