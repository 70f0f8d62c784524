"""This machine as a node: read from its own runtime and catalogue, as the others are read over the network."""

from collections.abc import Callable
from time import monotonic

from gglib.core.models import ModelSummary
from gglib.core.nodes import ModelContent, NodeModel, NodeSnapshot, NodeState
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort


class OwnNode:
    """The last snapshot of this machine. ``refresh`` replaces it."""

    def __init__(
        self,
        name: str,
        runtime: ModelRuntimePort,
        catalog: ModelCatalogPort,
        *,
        max_models: int | None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """``max_models``: at most this many models are in memory; None: only the memory limits them."""
        self.name = name
        self.snapshot = NodeSnapshot(name=name, url="", state=NodeState.READY, max_models=max_models)
        self._runtime = runtime
        self._catalog = catalog
        self.max_models = max_models
        self._clock = clock
        self._listed: tuple[ModelSummary, ...] = ()
        self._models: tuple[NodeModel, ...] = ()

    async def refresh(self) -> None:
        """Read the runtime and the catalogue. Raises ``CatalogError``."""
        listed = tuple(await self._catalog.list_models())
        if listed != self._listed:
            self._listed, self._models = listed, tuple(map(node_model, listed))
        self.snapshot = NodeSnapshot(
            name=self.name,
            url="",
            state=NodeState.READY,
            models=self._models,
            status=await self._runtime.status(),
            max_models=self.max_models,
            devices=await self._runtime.devices(),
            seen_at_s=self._clock(),
        )


def node_model(summary: ModelSummary) -> NodeModel:
    """Return a model of this machine's catalogue as that of a node."""
    sha256 = summary.hashes[0] if summary.hashes else summary.source.sha256
    return NodeModel(summary=summary, content=ModelContent(sha256, summary.size_bytes))
