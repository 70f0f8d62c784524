"""The nodes of the settings, as the adapters take them: by address, and those of a cluster."""

import asyncio
import logging
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec

from gglib.app.cluster.home import ClusterHome, ClusterPart
from gglib.app.settings import Settings
from gglib.app.settings.node_tables import NodeSetting
from gglib.core.errors import InvalidSettingError
from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.nodes.peers.adapter import PeerNodes
from gglib.nodes.peers.peer import Peer
from gglib.nodes.ray.sidecar_process import RayCluster
from gglib.nodes.ray.versions import unavailable

logger = logging.getLogger("gglib.nodes")

LOOK_S = 3.5
"""How long ``look_at`` waits: two probes that last until their limit, and a catalogue."""

_NO_NAME_CHARACTERS = re.compile(r"[^A-Za-z0-9._-]+")


def own_name(settings: Settings) -> str:
    """Return the name of this machine as a node: its name in the cluster, which no other one has, or its host name.

    Another one if a node of the settings has it.
    """
    part = None if settings.cluster_address is None else _part_of(settings)
    host = _NO_NAME_CHARACTERS.sub("-", platform.node().partition(".")[0]).strip("-") or "front"
    name = host if part is None else part.name
    return f"{name}-front" if name in settings.nodes else name


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


def cluster_of(settings: Settings) -> RayCluster | None:
    """Return the cluster of the settings; None if there is none, or it cannot be used, which is logged."""
    if settings.cluster_address is None:
        return None
    problem = unavailable(platform.system(), is_installed=find_spec("ray") is not None)
    if problem is not None:
        logger.warning("cluster_address is set, and not used: %s", problem)
        return None
    part = _part_of(settings)
    return RayCluster(
        address=settings.cluster_address,
        token_file=settings.home / settings.cluster_token_file,
        # A driver finds the raylet of its own machine by its address.
        node_ip=None if part is None else part.node_ip,
    )


def _part_of(settings: Settings) -> ClusterPart | None:
    """Return the part of this home in a cluster; None if it has none, or it cannot be read."""
    try:
        return ClusterHome(settings.home).read()
    except InvalidSettingError:
        return None


async def look_at(
    peers: Iterable[Peer], *, own_instance: str = "", within_s: float = LOOK_S
) -> Sequence[NodeSnapshot]:
    """Probe nodes until something is known of each of them, at most ``within_s`` seconds, and return that.

    ``own_instance`` is the id of the running server of this home, which is refused as a node; empty if none runs.
    """
    async with PeerNodes(peers, own_instance=own_instance) as nodes:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while any(node.state is NodeState.UNKNOWN for node in nodes.snapshots()):
                    await nodes.wait_for_change(nodes.changes)
        return nodes.snapshots()
