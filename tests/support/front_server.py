"""A front in this process: a gglib with nodes by address, and no models of its own unless some are named."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
from tests.support.gglib_node import GglibNode
from tests.support.sockets import bound_socket
from tests.support.waiting import until

from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.core.ports import ModelCatalogPort
from gglib.nodes.front.catalog import FrontCatalog
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.own_node import OwnNode
from gglib.nodes.front.runtime import FrontRuntime
from gglib.nodes.peers.adapter import PeerNodes
from gglib.nodes.peers.peer import Peer
from gglib.proxy import ProxyOptions, SharedState, serve
from gglib.proxy.cluster.services import ClusterPorts
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import find_engine
from gglib.testing import FakeCatalog, install_scripted_server

REFRESH_S = 0.2
"""How often the front looks at its own machine."""


async def refresh(this: OwnNode) -> None:
    """Keep what the front knows of its own machine up to date, until cancelled."""
    while True:
        await asyncio.sleep(REFRESH_S)
        await this.refresh()


class FrontServer:
    """Serves during its block. ``client`` sends requests to it."""

    def __init__(
        self,
        directory: Path,
        nodes: dict[str, GglibNode],
        *,
        catalog: ModelCatalogPort | None = None,
        options: ProxyOptions | None = None,
    ) -> None:
        self._directory = directory
        self._catalog = catalog or FakeCatalog()
        self._options = options or ProxyOptions(shutdown_grace_s=0)
        self.shared = SharedState()
        self._nodes = dict(nodes)
        self._drained: frozenset[str] = frozenset()
        self.peers = PeerNodes(self._peers(), own_instance=self.shared.instance)
        self.url = ""
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        engine = install_scripted_server(self._directory / "engine")
        launcher = LocalLauncher(
            LaunchConfig(
                engine=find_engine(engine),
                engines_dir=self._directory / "engines",
                log_dir=self._directory / "logs",
            )
        )
        own = await self._stack.enter_async_context(EngineManager(self._catalog, launcher, RuntimeConfig()))
        this = OwnNode("front", own, self._catalog, max_models=1)
        await this.refresh()
        self.cluster = cluster = Cluster(self.peers, this)
        front = FrontRuntime(own, cluster)
        ports = ClusterPorts(
            nodes=self.peers,
            view=cluster,
            own_runtime=own,
            own_catalog=self._catalog,
            note_conversation=front.note_conversation,
            note_response=cluster.note_response,
        )
        await self._stack.enter_async_context(self.peers)
        listener, cancel = bound_socket(), asyncio.Event()
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(
            serve(
                listener,
                4096,
                front,
                FrontCatalog(self._catalog, cluster),
                cancel,
                options=self._options,
                cluster=ports,
                shared=self.shared,
            )
        )

        async def stop() -> None:
            cancel.set()
            await serving

        self._stack.push_async_callback(stop)
        for work in (front.mover.run(), refresh(this)):
            self._stack.callback(asyncio.create_task(work).cancel)
        self.client = await self._stack.enter_async_context(
            httpx2.AsyncClient(base_url=self.url, timeout=60, trust_env=False)
        )
        await until(lambda: all(node.state is not NodeState.UNKNOWN for node in self.peers.snapshots()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def add_node(self, name: str, node: GglibNode) -> None:
        """Add a node, and wait until it is known."""
        self._nodes[name] = node
        await self.peers.replace_peers(self._peers())
        await until(lambda: self.node(name).models)

    def in_progress(self, model: str, state: str) -> int:
        """Return how many requests for a model wait or run."""
        running = self.shared.open_requests.running()
        return sum(request.model == model and request.state == state for request in running)

    async def drain(self, *names: str) -> None:
        """Send new requests to none of these nodes, and to all others."""
        self._drained = frozenset(names)
        await self.peers.replace_peers(self._peers())

    def _peers(self) -> list[Peer]:
        return [
            Peer(name=name, url=node.url, key=node.key, is_drained=name in self._drained)
            for name, node in self._nodes.items()
        ]

    def node(self, name: str) -> NodeSnapshot:
        """Return what the front knows of a node."""
        return next(snapshot for snapshot in self.peers.snapshots() if snapshot.name == name)

    async def chat(self, model: str, **fields: Any) -> httpx2.Response:
        """Send a chat and return its response."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]} | fields
        return await self.client.post("/v1/chat/completions", json=body)
