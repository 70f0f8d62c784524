"""The catalogue as a key sees it: only the models that it may use.

Lists, name resolution and errors with similar names all use it, so a response cannot reveal another model: its name is
as unknown as one that does not exist.
"""

from gglib.core.models import ModelLaunchSpec, ModelSummary
from gglib.core.ports import ModelCatalogPort
from gglib.proxy.access.model_filter import ModelFilter


class VisibleCatalog:
    """The models of ``catalog`` that ``models`` allows; implements ``ModelCatalogPort``."""

    def __init__(self, catalog: ModelCatalogPort, models: ModelFilter) -> None:
        self._catalog = catalog
        self._models = models

    async def list_models(self) -> list[ModelSummary]:
        """Return the allowed models."""
        return [model for model in await self._catalog.list_models() if self._models.allows(model)]

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model, or None if it is unknown, ambiguous or not allowed."""
        model = await self._catalog.resolve_model(name)
        return model if model is not None and self._models.allows(model) else None

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return the launch spec of an allowed model.

        The spec has no aliases, so the model is resolved first. The ids are compared because another process may rename
        a model between the two steps.
        """
        model = await self.resolve_model(name)
        if model is None:
            return None
        spec = await self._catalog.resolve_for_launch(model.name)
        return spec if spec is not None and spec.model_id == model.id else None
