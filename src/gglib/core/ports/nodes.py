"""The port to the nodes of a cluster: what is known of them, and what they are asked to do."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from gglib.core.addresses import Endpoint
from gglib.core.nodes import ClusterOverview, ModelCopy, NodeDownload, NodeSnapshot


class NodesPort(ABC):
    """The nodes beside this machine. Used in one event loop.

    An adapter learns by itself which nodes exist and how they are: by probing addresses (``nodes.peers``), or from the
    membership of a cluster (``nodes.ray``). Requests never pass through it: the front sends them to ``endpoint``.
    """

    @abstractmethod
    def snapshots(self) -> Sequence[NodeSnapshot]:
        """Return the last known state of each node, in a stable order. Never waits: read for each request."""

    @property
    @abstractmethod
    def changes(self) -> int:
        """A number that grows with each change of ``snapshots()``, except of times and of a little free memory."""

    @abstractmethod
    async def wait_for_change(self, since: int) -> int:
        """Return ``changes`` as soon as it differs from ``since``."""

    @abstractmethod
    def endpoint(self, node: str) -> Endpoint | None:
        """Return the address and key of a node; None if there is no such node (any more)."""

    @abstractmethod
    def report_failure(self, node: str) -> None:
        """Note that an exchange with the node failed: it is probed now, and is not waited for until its next probe.

        One report does not make the node ``DOWN``; two failed probes do.
        """

    @abstractmethod
    async def load(self, node: str, model_name: str, num_ctx: int | None) -> None:
        """Load a model there, and return when it is ready. ``model_name`` is its name at the node.

        Raises ``NodeUnreachableError``, or ``NodeRefusedError`` with the node's own message.
        """

    @abstractmethod
    async def unload(self, node: str, model_name: str) -> bool:
        """Unload a model there; False if it was not in memory. Errors as for ``load``."""

    @abstractmethod
    async def pull(self, node: str, source: str) -> None:
        """Have the node download a model: ``owner/name`` or ``owner/name:QUANT``; return when the download is queued.

        Errors as for ``load``.
        """

    async def download(self, node: str, source: str) -> NodeDownload | None:  # noqa: ARG002 - for adapters that know it
        """Return the state of the download that ``pull`` has queued; None if it is unknown.

        Errors as for ``load``. Not abstract: without it a download that fails is noticed by nothing but time.
        """
        return None

    @abstractmethod
    async def withdraw(self, node: str, request_id: str) -> bool:
        """Have a request given back that this gglib has sent there, if it waits for its model.

        It ends with the code ``withdrawn`` then. False if it is unknown, in an engine already, or was not withdrawn for
        another reason: the node cannot be reached, refuses this gglib, or is of a version without the command. Raises
        nothing: the end of the request itself says what became of it.
        """

    @abstractmethod
    async def close(self) -> None:
        """Stop watching the nodes. They keep running, with their requests."""


class ClusterView(Protocol):
    """What a front shows of its nodes. Reads values in memory: never waits."""

    def overview(self) -> ClusterOverview:
        """Return all nodes, this machine first; an empty overview if there are no others."""
        ...

    def copies(self, model_name: str) -> tuple[ModelCopy, ...]:
        """Return where the model with exactly this name is, this machine first; empty if there are no nodes."""
        ...
