"""Values of nodes for tests of the front."""

from gglib.core.memory import DeviceMemory
from gglib.core.models import ModelSummary
from gglib.core.nodes import (
    ClusterOverview,
    ModelContent,
    ModelCopy,
    NodeModel,
    NodeSnapshot,
    NodeState,
)
from gglib.core.runtime.status import ResidentStatus, RuntimeStatus


def node_model(
    name: str, *, sha256: str | None = None, size_bytes: int = 1000, model_id: int = 1
) -> NodeModel:
    """Return a model of a node. Without a hash, its name identifies the content."""
    summary = ModelSummary(id=model_id, name=name, size_bytes=size_bytes)
    return NodeModel(summary=summary, content=ModelContent(sha256 or f"hash of {name}", size_bytes))


def snapshot(
    name: str,
    *models: str,
    state: NodeState = NodeState.READY,
    ready: tuple[str, ...] = (),
    seen_at_s: float | None = 0.0,
) -> NodeSnapshot:
    """Return a node with models, of which those of ``ready`` are in memory, with four slots each."""
    residents = tuple(
        ResidentStatus(model_id=1, model_name=model, state="ready", effective_ctx=8192, slots=4)
        for model in ready
    )
    return NodeSnapshot(
        name=name,
        url=f"http://{name}:8080",
        state=state,
        models=tuple(map(node_model, models)),
        status=RuntimeStatus(residents=residents),
        devices={"ram": DeviceMemory(total_bytes=10**9, available_bytes=10**9)},
        seen_at_s=seen_at_s,
    )


class FixedView:
    """A view of nodes that are what a test says."""

    def __init__(self, overview: ClusterOverview | None = None, **copies: tuple[ModelCopy, ...]) -> None:
        self._overview = overview or ClusterOverview()
        self._copies = copies

    def overview(self) -> ClusterOverview:
        """Return the overview of the test."""
        return self._overview

    def copies(self, model_name: str) -> tuple[ModelCopy, ...]:
        """Return the copies of the test."""
        return self._copies.get(model_name, ())
