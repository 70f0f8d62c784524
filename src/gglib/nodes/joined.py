"""Several ports to nodes as one: nodes by address, and those of a cluster."""

import operator
from collections.abc import Sequence

from gglib.core.addresses import Endpoint
from gglib.core.errors import NodeUnreachableError
from gglib.core.nodes import NodeDownload, NodeSnapshot
from gglib.core.ports.nodes import NodesPort
from gglib.http.tasks import run_until_first_ends


class JoinedNodes(NodesPort):
    """The nodes of all ports. Of two nodes with one name or one address, that of the earlier port is used."""

    def __init__(self, *ports: NodesPort) -> None:
        self._ports = ports
        self._parts: Sequence[Sequence[NodeSnapshot]] = ()
        """What the ports returned last: they return the same object as long as nothing has changed."""
        self._joined: Sequence[NodeSnapshot] = ()

    def snapshots(self) -> Sequence[NodeSnapshot]:
        """Return the last known state of each node, in the order of the ports."""
        parts = [port.snapshots() for port in self._ports]
        if len(parts) != len(self._parts) or not all(map(operator.is_, parts, self._parts)):
            self._parts, self._joined = parts, self._join(*parts)
        return self._joined

    @staticmethod
    def _join(first: Sequence[NodeSnapshot], *others: Sequence[NodeSnapshot]) -> Sequence[NodeSnapshot]:
        if not any(others):
            return first
        names = {node.name for node in first}
        urls = {node.url for node in first}
        joined = list(first)
        for nodes in others:
            added = [node for node in nodes if node.name not in names and node.url not in urls]
            joined += added
            names.update(node.name for node in added)
            urls.update(node.url for node in added)
        return joined

    @property
    def changes(self) -> int:
        """A number that grows with each change of a port."""
        return sum(port.changes for port in self._ports)

    async def wait_for_change(self, since: int) -> int:
        """Return ``changes`` as soon as it differs from ``since``."""
        while self.changes == since:
            await run_until_first_ends(*(port.wait_for_change(port.changes) for port in self._ports))
        return self.changes

    def endpoint(self, node: str) -> Endpoint | None:
        """Return the address and key of a node; None if there is no such node (any more)."""
        return next((endpoint for port in self._ports if (endpoint := port.endpoint(node)) is not None), None)

    def report_failure(self, node: str) -> None:
        """Note that an exchange with the node failed."""
        port = self._port(node)
        if port is not None:
            port.report_failure(node)

    async def load(self, node: str, model_name: str, num_ctx: int | None) -> None:
        """Load a model there, and return when it is ready."""
        await self._known_port(node).load(node, model_name, num_ctx)

    async def unload(self, node: str, model_name: str) -> bool:
        """Unload a model there; False if it was not in memory."""
        return await self._known_port(node).unload(node, model_name)

    async def pull(self, node: str, source: str) -> None:
        """Have the node download a model; return when the download is queued."""
        await self._known_port(node).pull(node, source)

    async def download(self, node: str, source: str) -> NodeDownload | None:
        """Return the state of a download of ``pull``."""
        return await self._known_port(node).download(node, source)

    async def withdraw(self, node: str, request_id: str) -> bool:
        """Have a request given back that waits there; False if it was not."""
        port = self._port(node)
        return port is not None and await port.withdraw(node, request_id)

    async def close(self) -> None:
        """Stop watching the nodes of all ports."""
        for port in self._ports:
            await port.close()

    def _port(self, node: str) -> NodesPort | None:
        return next((port for port in self._ports if port.endpoint(node) is not None), None)

    def _known_port(self, node: str) -> NodesPort:
        port = self._port(node)
        if port is None:
            raise NodeUnreachableError(f"There is no node '{node}': list the nodes with 'gglib node list'.")
        return port
