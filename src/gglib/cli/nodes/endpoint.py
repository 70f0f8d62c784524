"""The address of a node for a command."""

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gglib.app.nodes import look_at, peer_of
from gglib.core.addresses import Endpoint
from gglib.core.errors import InvalidSettingError, NodeUnreachableError
from gglib.core.nodes import NodeState

if TYPE_CHECKING:
    from gglib.app.settings import Settings

_ANSWERING = frozenset((NodeState.READY, NodeState.DRAINING))


def node_endpoint(settings: "Settings", name: str, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Return the address and the key of a node, which is probed first.

    Raises ``InvalidSettingError`` for an unknown node, and ``NodeUnreachableError`` if it cannot be used; both say what
    to do.
    """
    node = settings.nodes.get(name)
    if node is None:
        known = ", ".join(settings.nodes)
        advice = f"the nodes are {known}" if known else "'gglib node add URL' adds one"
        if settings.cluster_address is not None:
            advice = f"{advice}; this command is not for nodes of a cluster: run 'gglib pull' on that machine"
        raise InvalidSettingError(f"There is no node '{name}': {advice}.")
    peer = peer_of(name, node, environ)
    (found,) = asyncio.run(look_at([peer]))
    if found.state not in _ANSWERING:
        raise NodeUnreachableError(
            found.failure or f"Node '{name}' did not answer: 'gglib node list' shows the nodes."
        )
    ca_file = None if peer.ca_file is None else str(peer.ca_file)
    return Endpoint(peer.url, peer.key, is_remote=True, ca_file=ca_file)
