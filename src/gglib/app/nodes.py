"""The nodes of the settings, as the adapter for nodes by address takes them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from gglib.app.settings.node_tables import NodeSetting
from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.nodes.peers.adapter import PeerNodes
from gglib.nodes.peers.peer import Peer

LOOK_S = 3.5
"""How long ``look_at`` waits: two probes that last until their limit, and a catalogue."""


def peer_of(name: str, node: NodeSetting, environ: Mapping[str, str]) -> Peer:
    """Return a node of the settings with its key. A value that cannot be a key is none."""
    key = environ.get(node.key_env or "", "").strip()
    return Peer(
        name=name,
        url=node.url,
        key_env=node.key_env,
        key=key if key and key.isascii() and key.isprintable() else None,
        ca_file=node.ca,
        is_drained=node.is_drained,
    )


def peers_of(nodes: Mapping[str, NodeSetting], environ: Mapping[str, str]) -> tuple[Peer, ...]:
    """Return the nodes of the settings, in their order."""
    return tuple(peer_of(name, node, environ) for name, node in nodes.items())


async def look_at(peers: Iterable[Peer], *, within_s: float = LOOK_S) -> Sequence[NodeSnapshot]:
    """Probe nodes until something is known of each of them, at most ``within_s`` seconds, and return that."""
    async with PeerNodes(peers) as nodes:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while any(node.state is NodeState.UNKNOWN for node in nodes.snapshots()):
                    await nodes.wait_for_change(nodes.changes)
        return nodes.snapshots()
