"""Nodes in memory: the nodes port without a network. Tests set what is known of each node."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from gglib.core.addresses import Endpoint
from gglib.core.errors import NodeRefusedError, NodeUnreachableError
from gglib.core.nodes import NodeDownload, NodeSnapshot, NodeState
from gglib.core.ports.nodes import NodesPort
from gglib.core.runtime.status import ResidentStatus

DEFAULT_CONTEXT = 8192
_LOST = frozenset((NodeState.DOWN, NodeState.REFUSED))


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """A command that a node was given."""

    kind: str
    """``load``, ``unload``, ``pull`` or ``withdraw``."""
    node: str
    target: str
    """The model's name at the node, the source of a pull, or the id of a request."""
    num_ctx: int | None = None


class FakeNodes(NodesPort):
    """Nodes that are what ``put`` says.

    A command to a node that is neither down nor refuses this gglib succeeds: ``load`` and ``unload`` change the models
    in memory of its snapshot. Set by tests: ``slow_nodes``, whose loads end when ``gate`` is set; ``keys`` by node;
    ``downloads`` by node and source; ``waiting``, by node and id the requests that can be withdrawn,
    with a function that ends the request or None.
    Read by tests: ``commands``, also those that failed; ``failures``, the nodes of ``report_failure``; ``is_closed``.
    """

    def __init__(self, snapshots: Iterable[NodeSnapshot] = ()) -> None:
        self.slow_nodes: Collection[str] = ()
        self.gate = asyncio.Event()
        self.keys: dict[str, str] = {}
        self.waiting: dict[tuple[str, str], Callable[[], None] | None] = {}
        self.commands: list[NodeCommand] = []
        self.failures: list[str] = []
        self.downloads: dict[tuple[str, str], NodeDownload] = {}
        self.is_closed = False
        self._snapshots = {snapshot.name: snapshot for snapshot in snapshots}
        self._changes = 0
        self._has_changed = asyncio.Event()

    def put(self, snapshot: NodeSnapshot) -> None:
        """Add a node, or replace what is known of it."""
        self._snapshots[snapshot.name] = snapshot
        self._note_change()

    def set_state(self, node: str, state: NodeState, failure: str = "") -> None:
        """Change the state of a node. Loads that wait for one that is lost fail."""
        self.put(replace(self._snapshots[node], state=state, failure=failure))

    def remove(self, node: str) -> None:
        """Remove a node."""
        del self._snapshots[node]
        self._note_change()

    def snapshots(self) -> Sequence[NodeSnapshot]:
        """Return the nodes in the order in which they were added."""
        return tuple(self._snapshots.values())

    @property
    def changes(self) -> int:
        """The number of changes."""
        return self._changes

    async def wait_for_change(self, since: int) -> int:
        """Return ``changes`` as soon as it differs from ``since``."""
        while self._changes == since:
            await self._has_changed.wait()
        return self._changes

    def endpoint(self, node: str) -> Endpoint | None:
        """Return the URL of the snapshot, and the key of ``keys``."""
        snapshot = self._snapshots.get(node)
        return None if snapshot is None else Endpoint(snapshot.url, self.keys.get(node), is_remote=True)

    def report_failure(self, node: str) -> None:
        """Note the node in ``failures``."""
        self.failures.append(node)

    async def load(self, node: str, model_name: str, num_ctx: int | None) -> None:
        """Add the model to those in memory, at a slow node once the gate is open."""
        self.commands.append(NodeCommand("load", node, model_name, num_ctx))
        while node in self.slow_nodes and not self.gate.is_set() and self._is_reached(node):
            waits = [asyncio.ensure_future(event.wait()) for event in (self._has_changed, self.gate)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        snapshot = self._checked(node, model_name)
        model_id = next(model.summary.id for model in snapshot.models if model.name == model_name)
        resident = ResidentStatus(
            model_id=model_id,
            model_name=model_name,
            state="ready",
            effective_ctx=num_ctx or DEFAULT_CONTEXT,
        )
        self._set_residents(snapshot, (*_without(snapshot, model_name), resident))

    async def unload(self, node: str, model_name: str) -> bool:
        """Remove the model from those in memory; False if it is not among them."""
        self.commands.append(NodeCommand("unload", node, model_name))
        snapshot = self._checked(node, model_name)
        rest = _without(snapshot, model_name)
        if len(rest) == len(snapshot.status.residents):
            return False
        self._set_residents(snapshot, rest)
        return True

    async def pull(self, node: str, source: str) -> None:
        """Record the command: the snapshot does not change."""
        self.commands.append(NodeCommand("pull", node, source))
        self._checked(node, None)

    async def download(self, node: str, source: str) -> NodeDownload | None:
        """Return what ``downloads`` has."""
        self._checked(node, None)
        return self.downloads.get((node, source))

    async def withdraw(self, node: str, request_id: str) -> bool:
        """Remove a request from ``waiting`` and end it; False if it is not there, or the node is lost."""
        self.commands.append(NodeCommand("withdraw", node, request_id))
        if not self._is_reached(node) or (node, request_id) not in self.waiting:
            return False
        end = self.waiting.pop((node, request_id))
        if end is not None:
            end()
        return True

    async def close(self) -> None:
        """Set ``is_closed``."""
        self.is_closed = True

    def _is_reached(self, node: str) -> bool:
        return node in self._snapshots and self._snapshots[node].state not in _LOST

    def _checked(self, node: str, model_name: str | None) -> NodeSnapshot:
        """Return a node that a command can be sent to, and that has the model, if one is named."""
        snapshot = self._snapshots.get(node)
        if snapshot is None:
            raise NodeUnreachableError(f"There is no node '{node}'.")
        if snapshot.state is NodeState.REFUSED:
            raise NodeRefusedError(snapshot.failure or f"Node '{node}' refuses this gglib.")
        if snapshot.state is NodeState.DOWN:
            raise NodeUnreachableError(snapshot.failure or f"Node '{node}' is down.")
        if model_name is not None and all(model.name != model_name for model in snapshot.models):
            raise NodeRefusedError(f"Node '{node}' has no model '{model_name}'.")
        return snapshot

    def _set_residents(self, snapshot: NodeSnapshot, residents: tuple[ResidentStatus, ...]) -> None:
        self.put(replace(snapshot, status=replace(snapshot.status, residents=residents)))

    def _note_change(self) -> None:
        self._changes += 1
        self._has_changed.set()
        self._has_changed = asyncio.Event()


def _without(snapshot: NodeSnapshot, model_name: str) -> tuple[ResidentStatus, ...]:
    return tuple(resident for resident in snapshot.status.residents if resident.model_name != model_name)
