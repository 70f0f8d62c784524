"""What the front knows of all nodes, this machine first: models, views, and its own requests."""

import math
from collections.abc import Callable, Sequence
from time import monotonic

from gglib.core.nodes import ClusterOverview, MeasuredResponse, ModelCopy, NodeSnapshot, NodeState
from gglib.core.ports.nodes import NodesPort
from gglib.nodes.front.own_node import OwnNode
from gglib.nodes.load_times import LoadTimes
from gglib.nodes.model_index import ClusterModel, ModelIndex
from gglib.nodes.node_view import NodeView
from gglib.nodes.placement import Choice, NoNode, PlacementRequest, choose
from gglib.nodes.prompt_times import PromptTimes
from gglib.nodes.response_times import ResponseTimes
from gglib.nodes.sent_requests import SentRequests


class Cluster:
    """The nodes as placement needs them. Reads the snapshots of the port when it is asked, and keeps what they mean."""

    def __init__(self, nodes: NodesPort, own: OwnNode, *, clock: Callable[[], float] = monotonic) -> None:
        self.nodes = nodes
        self.own = own
        self.sent = SentRequests()
        self.lost: dict[str, int] = {}
        """How many requests each node has lost since the start, those that another one then served among them."""
        self.response_times = ResponseTimes()
        self.prompt_times = PromptTimes()
        self._load_times = LoadTimes()
        self._clock = clock
        self._views: dict[str, NodeView] = {}
        self._ordered: tuple[NodeView, ...] = ()
        self._snapshots: tuple[NodeSnapshot, ...] = ()
        self._of_nodes: Sequence[NodeSnapshot] = ()
        """What the port returned last: adapters return the same object as long as nothing has changed."""
        self._changed_at_s: dict[str, float] = {}
        """When another state of a node was found, by its name."""
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

    def has_model(self, node: str, name: str) -> bool:
        """Whether a node has the model with this name in the cluster."""
        model = self.model(name)
        return model is not None and node in model.copies

    def choose(self, request: PlacementRequest) -> Choice | NoNode:
        """Return the node of a request."""
        self._refresh()
        return choose(request, self._ordered, self.response_times, self._clock())

    def note_response(self, response: MeasuredResponse) -> None:
        """Note the speed of a finished response."""
        node = response.node or self.own.name
        self.response_times.note(node, response.model, seconds=response.seconds, tokens=response.tokens)
        if response.prompt_tokens_per_s is not None:
            self.prompt_times.note(response.model, tokens_per_s=response.prompt_tokens_per_s)

    @property
    def views(self) -> Sequence[NodeView]:
        """All nodes as placement sees them, in a stable order."""
        self._refresh()
        return self._ordered

    def now(self) -> float:
        """Return the time of the clock that the snapshots have, in seconds."""
        return self._clock()

    def snapshot(self, node: str) -> NodeSnapshot | None:
        """Return the last state of a node; None if there is no such node (any more)."""
        self._refresh()
        view = self._views.get(node)
        return None if view is None else view.snapshot

    def was_ready(self, node: str, within_s: float) -> bool:
        """Whether a node that is down or drains has not been so for longer than ``within_s``, as far as it is known."""
        snapshot = self.snapshot(node)
        if snapshot is None:
            return False
        since_s = self._clock() - within_s
        if snapshot.state is NodeState.DRAINING:
            return self._changed_at_s.get(node, -math.inf) >= since_s
        return (
            snapshot.state is NodeState.DOWN
            and snapshot.seen_at_s is not None
            and snapshot.seen_at_s >= since_s
        )

    def overview(self) -> ClusterOverview:
        """Return all nodes, this machine first; an empty overview if there are no others."""
        if not self.nodes.snapshots():
            return ClusterOverview()
        self._refresh()
        return ClusterOverview(
            nodes=self._snapshots,
            sent={snapshot.name: self.sent.total_at(snapshot.name) for snapshot in self._snapshots},
            lost=dict(self.lost),
            conflicts=self._index.conflicts,
        )

    def copies(self, model_name: str) -> tuple[ModelCopy, ...]:
        """Return where the model with exactly this name is, this machine first; empty if there are no nodes."""
        model = self.model(model_name) if self.nodes.snapshots() else None
        return (
            () if model is None else tuple(self._copy(node, copy.name) for node, copy in model.copies.items())
        )

    def _copy(self, node: str, model_name: str) -> ModelCopy:
        residents = self._views[node].snapshot.residents
        states = (resident.state for resident in residents if resident.model_name == model_name)
        return ModelCopy(node=node, model_name=model_name, state=next(states, None))

    def _refresh(self) -> None:
        """Take the snapshots that have arrived since the last call. Compares identities: called for each request."""
        of_nodes, own = self.nodes.snapshots(), self.own.snapshot
        if of_nodes is self._of_nodes and self._snapshots and own is self._snapshots[0]:
            return
        others = (snapshot for snapshot in of_nodes if snapshot.name != own.name)
        self._of_nodes, snapshots = of_nodes, (own, *others)
        if len(snapshots) == len(self._snapshots) and all(map(_is_same, snapshots, self._snapshots)):
            return
        views: dict[str, NodeView] = {}
        for order, snapshot in enumerate(snapshots):
            view = self._views.get(snapshot.name)
            if view is None or view.snapshot is not snapshot or view.order != order:
                if view is None or view.snapshot.seen_at_s != snapshot.seen_at_s:
                    self.sent.snapshot_arrived(snapshot.name)
                    self._load_times.note(snapshot)
                if view is not None and view.snapshot.state is not snapshot.state:
                    self._changed_at_s[snapshot.name] = self._clock()
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
