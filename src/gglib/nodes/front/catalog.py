"""The catalogue of a front: its own models, and those of its nodes."""

from gglib.core.models import ModelLaunchSpec, ModelSummary
from gglib.core.ports import ModelCatalogPort
from gglib.nodes.front.cluster import Cluster


class FrontCatalog(ModelCatalogPort):
    """Resolves a name in the front's own catalogue, then among the models of the nodes that take requests."""

    def __init__(self, own: ModelCatalogPort, cluster: Cluster) -> None:
        self._own = own
        self._cluster = cluster

    async def list_models(self) -> list[ModelSummary]:
        """Return the front's own models, then those that only other nodes have."""
        own = await self._own.list_models()
        names = {model.name for model in own}
        listed = self._cluster.index.listed(self._cluster.ready_nodes)
        return [*own, *(model for model in listed if model.name not in names)]

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model that a name resolves to; None if it is unknown or ambiguous."""
        own = await self._own.resolve_model(name)
        if own is not None:
            return own
        found = self._cluster.index.find(name)
        return None if found is None else found.summary

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return the launch spec of a model; one without files if only other nodes have it."""
        own = await self._own.resolve_for_launch(name)
        if own is not None:
            return own
        found = self._cluster.index.find(name)
        return None if found is None else found.launch_spec
