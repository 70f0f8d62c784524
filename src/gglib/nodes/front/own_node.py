"""This machine as a node: read from its own runtime and catalogue, as the others are read over the network."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import monotonic

from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelSummary
from gglib.core.nodes import ModelContent, NodeModel, NodeSnapshot, NodeState
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort

NEEDS_INTERVAL_S = 60.0
"""How old the memory needs may be: they change with what is measured of engines, and with some settings."""

NeedOf = Callable[[ModelSummary], Awaitable[DeviceBytes]]
"""Returns the memory of a launch of a model with its settings, in bytes by device; empty if unknown."""


class OwnNode:
    """The last snapshot of this machine. ``refresh`` replaces it."""

    def __init__(  # noqa: PLR0913 - what it is read from
        self,
        name: str,
        runtime: ModelRuntimePort,
        catalog: ModelCatalogPort,
        *,
        max_models: int | None,
        need_of: NeedOf | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """``max_models``: at most this many models are in memory; None: only the memory limits them.

        Without ``need_of`` the memory of the models is unknown.
        """
        self.name = name
        self.snapshot = NodeSnapshot(name=name, url="", state=NodeState.READY, max_models=max_models)
        self._runtime = runtime
        self._catalog = catalog
        self.max_models = max_models
        self._need_of = need_of
        self._clock = clock
        self._listed: tuple[ModelSummary, ...] = ()
        self._models: tuple[NodeModel, ...] = ()
        self._needs: dict[int, DeviceBytes] = {}
        """The memory of each model, by id."""
        self._needs_of: tuple[ModelSummary, ...] = ()
        """The models when ``_needs`` was read."""
        self._needs_until_s = 0.0

    async def refresh(self) -> None:
        """Read the runtime and the catalogue. Raises ``CatalogError``."""
        listed = tuple(await self._catalog.list_models())
        if listed != self._listed:
            self._listed, self._models = listed, tuple(map(self._model, listed))
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

    async def refresh_needs(self) -> None:
        """Read the memory of the models, if they are others, or ``NEEDS_INTERVAL_S`` after the last time.

        Takes about a millisecond for each model, the first time longer. Without a budget it decides nothing, and is not
        read.
        """
        if self._need_of is None or not self.snapshot.status.limits:
            return
        listed, now_s = self._listed, self._clock()
        if listed == self._needs_of and now_s < self._needs_until_s:
            return
        needs = {model.id: await self._need_of(model) for model in listed}
        self._needs_of, self._needs_until_s = listed, now_s + NEEDS_INTERVAL_S
        if needs != self._needs:
            self._needs = needs
            self._models = tuple(map(self._model, self._listed))
            self.snapshot = replace(self.snapshot, models=self._models)

    def _model(self, summary: ModelSummary) -> NodeModel:
        """Return a model of this machine's catalogue as that of a node."""
        sha256 = summary.hashes[0] if summary.hashes else summary.source.sha256
        content = ModelContent(sha256, summary.size_bytes)
        return NodeModel(summary=summary, content=content, need=self._needs.get(summary.id, {}))
