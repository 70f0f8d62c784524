"""The port to the nodes of a Ray cluster: their addresses from the sidecar, all else as for nodes by address.

Probes, snapshots and commands go over HTTP to the gglib of each node. So a node that dies is noticed within seconds,
not after the 12 s that Ray takes, and nothing that runs depends on the head.
"""

import asyncio
import logging
from collections.abc import Sequence

from gglib.core.addresses import Endpoint
from gglib.core.nodes import NodeDownload, NodeSnapshot
from gglib.core.ports.nodes import NodesPort
from gglib.nodes.peers.adapter import PeerNodes
from gglib.nodes.ray.membership import Membership
from gglib.nodes.ray.messages import Members, Message
from gglib.nodes.ray.sidecar_process import SIDECAR, RayCluster, SidecarProcess

logger = logging.getLogger("gglib.nodes")


class RayNodes(NodesPort):
    """The nodes of a cluster, from ``start`` to ``close``; none until ``follow`` names a cluster."""

    def __init__(self, *, own_instance: str = "", sidecar_module: str = SIDECAR) -> None:
        """``own_instance`` is the id of this gglib's own server, which cannot be a node of itself."""
        self._sidecar_module = sidecar_module
        self._peers = PeerNodes((), own_instance=own_instance)
        self._cluster: RayCluster | None = None
        self._following: asyncio.Task[None] | None = None
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._membership = Membership()
        self._members: Members | None = None
        self._is_heard = asyncio.Event()
        self._trouble = ""
        self.sidecar: SidecarProcess | None = None
        """The process that knows the cluster; None: there is no cluster."""

    @property
    def members(self) -> Members | None:
        """What the cluster said last; None: nothing yet."""
        return self._members

    @property
    def trouble(self) -> str:
        """Why nothing is known of the cluster at the moment, as a sentence; else empty."""
        return self._trouble

    def start(self) -> None:
        """Start watching, in the running loop."""
        self._peers.start()

    async def follow(self, cluster: RayCluster | None) -> None:
        """Use the nodes of this cluster from now on. The same cluster as before is not interrupted."""
        if cluster == self._cluster:
            return
        await self._stop_following()
        self._cluster, self._membership, self._messages = cluster, Membership(), asyncio.Queue()
        self._members, self._trouble = None, ""
        self._is_heard.clear()
        await self._peers.replace_peers(())
        if cluster is not None:
            self.sidecar = SidecarProcess(cluster, self._messages.put_nowait, module=self._sidecar_module)
            self._following = asyncio.create_task(self._follow(self.sidecar), name="ray-nodes")

    async def wait_until_heard(self) -> None:
        """Return when something is known of the cluster: its members, or why they are not known."""
        await self._is_heard.wait()

    def snapshots(self) -> Sequence[NodeSnapshot]:
        """Return the last known state of each node, sorted by name."""
        return self._peers.snapshots()

    @property
    def changes(self) -> int:
        """Grows with each change of the snapshots."""
        return self._peers.changes

    async def wait_for_change(self, since: int) -> int:
        """Return ``changes`` as soon as it differs from ``since``."""
        return await self._peers.wait_for_change(since)

    def endpoint(self, node: str) -> Endpoint | None:
        """Return the address and key of a node; None if there is no such node (any more)."""
        return self._peers.endpoint(node)

    def report_failure(self, node: str) -> None:
        """Note that an exchange with the node failed: it is probed now."""
        self._peers.report_failure(node)

    async def load(self, node: str, model_name: str, num_ctx: int | None) -> None:
        """Load a model there, and return when it is ready."""
        await self._peers.load(node, model_name, num_ctx)

    async def unload(self, node: str, model_name: str) -> bool:
        """Unload a model there; False if it was not in memory."""
        return await self._peers.unload(node, model_name)

    async def pull(self, node: str, source: str) -> None:
        """Have the node download a model; return when the download is queued."""
        await self._peers.pull(node, source)

    async def download(self, node: str, source: str) -> NodeDownload | None:
        """Return the state of a download of ``pull``."""
        return await self._peers.download(node, source)

    async def withdraw(self, node: str, request_id: str) -> bool:
        """Have a request given back that waits there; False if it was not."""
        return await self._peers.withdraw(node, request_id)

    async def close(self) -> None:
        """Stop watching the nodes, and end the sidecar. The nodes keep running, with their requests."""
        await self._stop_following()
        await self._peers.close()

    async def _stop_following(self) -> None:
        following, self._following, self.sidecar = self._following, None, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])

    async def _follow(self, sidecar: SidecarProcess) -> None:
        running = asyncio.create_task(sidecar.run(), name="ray-sidecar")
        try:
            while True:
                await self._receive(await self._messages.get())
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def _receive(self, message: Message) -> None:
        if isinstance(message, Members):
            if self._trouble:
                logger.info("the cluster answers again")
            self._members, self._trouble = message, ""
            if self._membership.receive(message):
                await self._peers.replace_peers(self._membership.peers())
        elif message.reason != self._trouble:
            self._trouble = message.reason
            logger.warning("%s Its nodes are used as they were last known.", message.reason)
        self._is_heard.set()
