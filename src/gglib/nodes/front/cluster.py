"""What the front knows of all nodes, this machine first: models, views, and its own requests."""

from collections.abc import Callable, Sequence
from time import monotonic

from gglib.core.nodes import NodeSnapshot
from gglib.core.ports.nodes import NodesPort
from gglib.nodes.front.own_node import OwnNode
from gglib.nodes.load_times import LoadTimes
from gglib.nodes.model_index import ClusterModel, ModelIndex
from gglib.nodes.node_view import NodeView
from gglib.nodes.placement import Choice, NoNode, PlacementRequest, choose
from gglib.nodes.response_times import ResponseTimes
from gglib.nodes.sent_requests import SentRequests


class Cluster:
    """The nodes as placement needs them. Reads the snapshots of the port when it is asked, and keeps what they mean."""

    def __init__(self, nodes: NodesPort, own: OwnNode, *, clock: Callable[[], float] = monotonic) -> None:
        self.nodes = nodes
        self.own = own
        self.sent = SentRequests()
        self.response_times = ResponseTimes()
        self._load_times = LoadTimes()
        self._clock = clock
        self._views: dict[str, NodeView] = {}
        self._ordered: tuple[NodeView, ...] = ()
        self._snapshots: tuple[NodeSnapshot, ...] = ()
        self._of_nodes: Sequence[NodeSnapshot] = ()
        """What the port returned last: adapters return the same object as long as nothing has changed."""
        self._index = ModelIndex(())

    @property
    def index(self) -> ModelIndex:
        """The models of all nodes."""
        self._refresh()
        return self._index

    @property
    def ready_nodes(self) -> frozenset[str]:
        """The nodes that take requests."""
        self._refresh()
        return frozenset(snapshot.name for snapshot in self._snapshots if snapshot.takes_requests)

    def model(self, name: str) -> ClusterModel | None:
        """Return the model with exactly this name; None if no node has it."""
        return self.index.get(name)

    def choose(self, request: PlacementRequest) -> Choice | NoNode:
        """Return the node of a request."""
        self._refresh()
        return choose(request, self._ordered, self.response_times, self._clock())

    def snapshot(self, node: str) -> NodeSnapshot | None:
        """Return the last state of a node; None if there is no such node (any more)."""
        self._refresh()
        view = self._views.get(node)
        return None if view is None else view.snapshot

    def _refresh(self) -> None:
        """Take the snapshots that have arrived since the last call. Compares identities: called for each request."""
        of_nodes, own = self.nodes.snapshots(), self.own.snapshot
        if of_nodes is self._of_nodes and self._snapshots and own is self._snapshots[0]:
            return
        self._of_nodes, snapshots = of_nodes, (own, *of_nodes)
        if len(snapshots) == len(self._snapshots) and all(map(_is_same, snapshots, self._snapshots)):
            return
        views: dict[str, NodeView] = {}
        for order, snapshot in enumerate(snapshots):
            view = self._views.get(snapshot.name)
            if view is None or view.snapshot is not snapshot or view.order != order:
                if view is None or view.snapshot.seen_at_s != snapshot.seen_at_s:
                    self.sent.snapshot_arrived(snapshot.name)
                    self._load_times.note(snapshot)
                view = NodeView(snapshot, self.sent, self._load_times, order=order)
            views[snapshot.name] = view
        if _models_of(snapshots) != _models_of(self._snapshots):
            self._index = ModelIndex(snapshots)
        self._views, self._ordered, self._snapshots = views, tuple(views.values()), snapshots


def _is_same(one: NodeSnapshot, other: NodeSnapshot) -> bool:
    return one is other


def _models_of(snapshots: Sequence[NodeSnapshot]) -> list[tuple[str, int]]:
    """Return what identifies the models of all nodes: a node's tuple stays the same object while they do."""
    return [(snapshot.name, id(snapshot.models)) for snapshot in snapshots]
