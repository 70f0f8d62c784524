"""The front of a server: its nodes, and the runtime and the catalogue over them and this machine."""

import asyncio
import logging
import os
import platform
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from gglib.app.nodes import peers_of
from gglib.app.settings import Settings
from gglib.core.errors import CatalogError
from gglib.core.nodes import NodeState
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort
from gglib.nodes.front.catalog import FrontCatalog
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.own_node import OwnNode
from gglib.nodes.front.runtime import FrontRuntime
from gglib.nodes.peers.adapter import PeerNodes
from gglib.proxy.cluster.services import ClusterPorts

logger = logging.getLogger("gglib.nodes")

REFRESH_S = 1.0
"""How old what the front knows of its own machine may be, as of the others."""
FIRST_LOOK_S = 2.5
"""How long a start waits for its nodes: their models are unknown names until they have answered."""
DRAIN_POLL_S = 0.02
_NO_NAME_CHARACTERS = re.compile(r"[^A-Za-z0-9._-]+")


class Front:
    """The nodes of a server. Without nodes, requests go to its own runtime as if there were none."""

    def __init__(
        self, settings: Settings, runtime: ModelRuntimePort, catalog: ModelCatalogPort, *, instance: str
    ) -> None:
        """``instance`` is the id of this server, which cannot be a node of itself."""
        self._has_nodes = asyncio.Event()
        self._own = OwnNode(own_name(settings), runtime, catalog, max_models=settings.max_models)
        self._nodes = PeerNodes((), own_instance=instance)
        self._cluster = cluster = Cluster(self._nodes, self._own)
        self.runtime = FrontRuntime(runtime, cluster)
        self.catalog = FrontCatalog(catalog, cluster)
        self.ports = ClusterPorts(
            nodes=self._nodes,
            own_runtime=runtime,
            own_catalog=catalog,
            note_conversation=self.runtime.note_conversation,
        )

    async def apply(self, settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
        """Use the nodes of the settings from now on. Requests in progress stay where they are."""
        self._own.name, self._own.max_models = own_name(settings), settings.max_models
        if settings.nodes:
            await self._refresh()
            self._has_nodes.set()
        else:
            self._has_nodes.clear()
        await self._nodes.replace_peers(peers_of(settings.nodes, environ))

    @asynccontextmanager
    async def running(self, settings: Settings) -> AsyncIterator[None]:
        """Watch the nodes during the block, which begins when each of them has answered or ``FIRST_LOOK_S`` is over."""
        self._nodes.start()
        await self.apply(settings)
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_S):
                while any(node.state is NodeState.UNKNOWN for node in self._nodes.snapshots()):
                    await self._nodes.wait_for_change(self._nodes.changes)
        refreshing = asyncio.create_task(self._refresh_periodically(), name="own-node")
        try:
            yield
        finally:
            refreshing.cancel()
            await asyncio.wait([refreshing])
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
            await self._refresh()

    async def _refresh(self) -> None:
        try:
            await self._own.refresh()
        except CatalogError as error:
            logger.warning("this machine's models could not be read for the cluster: %s", error)


def own_name(settings: Settings) -> str:
    """Return the name of this machine as a node: its host name, unless a node of the settings has it."""
    name = _NO_NAME_CHARACTERS.sub("-", platform.node().partition(".")[0]).strip("-") or "front"
    return f"{name}-front" if name in settings.nodes else name
