"""The front of a server: its nodes, and the runtime and the catalogue over them and this machine."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from gglib.app.memory.model_needs import LaunchSizePort, model_needs
from gglib.app.nodes import cluster_of, own_name, peers_of
from gglib.app.settings import Settings
from gglib.core.errors import CatalogError
from gglib.core.nodes import NodeState
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort
from gglib.nodes.front.catalog import FrontCatalog
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.own_node import OwnNode
from gglib.nodes.front.rules import FrontRules
from gglib.nodes.front.runtime import FrontRuntime
from gglib.nodes.joined import JoinedNodes
from gglib.nodes.peers.adapter import PeerNodes
from gglib.nodes.ray.adapter import RayNodes
from gglib.proxy.cluster.services import ClusterPorts

logger = logging.getLogger("gglib.nodes")

REFRESH_S = 1.0
"""How old what the front knows of its own machine may be, as of the others."""
FIRST_LOOK_S = 2.5
"""How long a start waits for its nodes: their models are unknown names until they have answered."""
DRAIN_POLL_S = 0.02


class Front:
    """The nodes of a server. Without nodes, requests go to its own runtime as if there were none."""

    def __init__(
        self,
        settings: Settings,
        runtime: ModelRuntimePort,
        catalog: ModelCatalogPort,
        sizes: LaunchSizePort,
        *,
        instance: str,
    ) -> None:
        """``instance`` is the id of this server, which cannot be a node of itself."""
        self._settings = settings
        self._has_nodes = asyncio.Event()
        self._own = OwnNode(
            own_name(settings),
            runtime,
            catalog,
            max_models=settings.max_models,
            need_of=model_needs(sizes, lambda: self._settings),
        )
        self._peers = PeerNodes((), own_instance=instance)
        self._members = RayNodes(own_instance=instance)
        self._nodes = JoinedNodes(self._peers, self._members)
        self._cluster = cluster = Cluster(self._nodes, self._own)
        self.runtime = FrontRuntime(runtime, cluster)
        self.catalog = FrontCatalog(catalog, cluster)
        self.ports = ClusterPorts(
            nodes=self._nodes,
            view=cluster,
            own_runtime=runtime,
            own_catalog=catalog,
            note_conversation=self.runtime.note_conversation,
            note_response=cluster.note_response,
        )

    async def apply(self, settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
        """Use the nodes of the settings from now on. Requests in progress stay where they are."""
        self._settings = settings
        self.runtime.rules = FrontRules(
            pulls_models=settings.pull_to_nodes,
            model_nodes={name.casefold(): nodes for name, nodes in settings.model_nodes.items()},
        )
        self._own.name, self._own.max_models = own_name(settings), settings.max_models
        cluster = cluster_of(settings)
        if settings.nodes or cluster is not None:
            await self._refresh()
            self._has_nodes.set()
        else:
            self._has_nodes.clear()
        await self._peers.replace_peers(peers_of(settings.nodes, environ))
        await self._members.follow(cluster)

    @asynccontextmanager
    async def running(self, settings: Settings) -> AsyncIterator[None]:
        """Watch the nodes during the block, which begins when each of them has answered or ``FIRST_LOOK_S`` is over."""
        self._peers.start()
        self._members.start()
        await self.apply(settings)
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_S):
                if self._members.sidecar is not None:
                    await self._members.wait_until_heard()
                while any(node.state is NodeState.UNKNOWN for node in self._nodes.snapshots()):
                    await self._nodes.wait_for_change(self._nodes.changes)
        tasks = [
            asyncio.create_task(self._refresh_periodically(), name="own-node"),
            asyncio.create_task(self.runtime.mover.run(), name="moves"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self.runtime.close()
            await self._nodes.close()

    @property
    def requests_elsewhere(self) -> int:
        """Number of requests at nodes, without those of this machine."""
        return self._cluster.sent.total - self._cluster.sent.total_at(self._own.name)

    async def drain(self, timeout_s: float) -> None:
        """Return when no request is at a node, or after ``timeout_s``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.requests_elsewhere:  # noqa: ASYNC110 - once, at the end of the server
                    await asyncio.sleep(DRAIN_POLL_S)

    async def _refresh_periodically(self) -> None:
        while True:
            await self._has_nodes.wait()
            await asyncio.sleep(REFRESH_S)
            try:
                await self._refresh()
                await self._own.refresh_needs()
            except Exception:  # a bug must not leave the front with an old state of this machine for ever
                logger.exception("this machine as a node: internal error")

    async def _refresh(self) -> None:
        try:
            await self._own.refresh()
        except CatalogError as error:
            logger.warning("this machine's models could not be read for the cluster: %s", error)
