"""Nodes, models and requests for tests: each has defaults, and a test states what it is about."""

from dataclasses import dataclass, field
from typing import Any

from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.core.nodes import ModelContent, NodeModel, NodeSnapshot, NodeState
from gglib.core.runtime.status import LoadCount, ResidentStatus, RuntimeStatus, WaitingStatus
from gglib.nodes.load_times import LoadTimes
from gglib.nodes.node_view import NodeView
from gglib.nodes.placement import Choice, NoNode, PlacementRequest, choose
from gglib.nodes.response_times import ResponseTimes
from gglib.nodes.sent_requests import SentRequests

GIB = 1024**3
LOAD_S = 10.0
"""The expected load of the models of 4 GiB here: 2 s, and 8 s for the files."""


def a_model(
    name: str = "m",
    *,
    sha256: str | None = "aa",
    gib: int | None = 4,
    aliases: tuple[str, ...] = (),
    model_id: int = 1,
    need_gib: int | None = None,
    **summary: Any,
) -> NodeModel:
    """Return a model of a node; its need is the size of its files unless a test says otherwise."""
    size = None if gib is None else gib * GIB
    need = gib if need_gib is None else need_gib
    return NodeModel(
        summary=ModelSummary(id=model_id, name=name, aliases=aliases, size_bytes=size, **summary),
        content=ModelContent(sha256=sha256, size_bytes=size),
        need={} if need is None else {"gpu0": need * GIB},
    )


def with_vision(name: str = "m") -> NodeModel:
    """Return a model with a projector."""
    return a_model(name, capabilities=ModelCapabilities(chat=True, vision=True))


def resident(name: str = "m", state: str = "ready", *, gib: int = 4, **status: Any) -> ResidentStatus:
    """Return a model in memory, with 4 slots and a context of 8192."""
    fields: dict[str, Any] = {"effective_ctx": 8192, "slots": 4, "size": {"gpu0": gib * GIB}, **status}
    return ResidentStatus(model_id=1, model_name=name, state=state, **fields)


def waiting(name: str = "m", number: int = 1) -> WaitingStatus:
    """Return requests that wait at a node."""
    return WaitingStatus(model_name=name, waiting=number, longest_wait_s=1.0)


def a_node(
    name: str = "a",
    *residents: ResidentStatus,
    models: tuple[NodeModel, ...] = (a_model(),),
    state: NodeState = NodeState.READY,
    waits: tuple[WaitingStatus, ...] = (),
    failed: tuple[str, ...] = (),
    loads: tuple[LoadCount, ...] = (),
    gib: int | None = 12,
    seen_at_s: float | None = 100.0,
    **status: Any,
) -> NodeSnapshot:
    """Return a node with 12 GiB of memory for models."""
    devices, max_models = status.pop("devices", {}), status.pop("max_models", None)
    return NodeSnapshot(
        name=name,
        url=f"http://{name}",
        state=state,
        models=models,
        seen_at_s=seen_at_s,
        devices=devices,
        max_models=max_models,
        status=RuntimeStatus(
            residents=residents,
            waiting=waits,
            failed=tuple((model, "it is broken") for model in failed),
            loads=loads,
            limits={} if gib is None else {"gpu0": gib * GIB},
            **status,
        ),
    )


@dataclass
class Cluster:
    """Nodes as one front sees them, at second 100."""

    snapshots: list[NodeSnapshot]
    sent: SentRequests = field(default_factory=SentRequests)
    times: ResponseTimes = field(default_factory=ResponseTimes)
    loads: LoadTimes = field(default_factory=LoadTimes)
    now: float = 100.0

    @property
    def views(self) -> list[NodeView]:
        """The nodes as they are now."""
        for snapshot in self.snapshots:
            self.loads.note(snapshot)
        return [
            NodeView(snapshot, self.sent, self.loads, order=order)
            for order, snapshot in enumerate(self.snapshots)
        ]

    def request(self, name: str = "m", **request: Any) -> PlacementRequest:
        """Return a request for a model, which all nodes have that list its name."""
        copies = {
            snapshot.name: model
            for snapshot in self.snapshots
            for model in snapshot.models
            if model.name == name
        }
        return PlacementRequest(**{"model": name, "copies": copies, "context": 8192, **request})

    def result(self, name: str = "m", **request: Any) -> Choice | NoNode:
        """Return the choice for a request, or why there is none."""
        return choose(self.request(name, **request), self.views, self.times, self.now)

    def choice(self, name: str = "m", **request: Any) -> Choice:
        """Return the choice for a request."""
        found = self.result(name, **request)
        assert isinstance(found, Choice), str(found)
        return found

    def node(self, name: str = "m", **request: Any) -> str:
        """Return the chosen node."""
        return self.choice(name, **request).node

    def send(self, count: int = 1, name: str = "m", **request: Any) -> list[str]:
        """Send requests one after another, each to the chosen node; return the nodes."""
        nodes = []
        for _ in range(count):
            found = self.choice(name, **request)
            self.sent.started(found.node, found.model_name)
            nodes.append(found.node)
        return nodes


def cluster(*snapshots: NodeSnapshot) -> Cluster:
    """Return nodes as a front sees them."""
    return Cluster(list(snapshots))
