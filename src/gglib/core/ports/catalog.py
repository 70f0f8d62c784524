"""What is known of the models on this machine."""

from collections.abc import Mapping
from typing import Protocol

from gglib.core.models import ModelLaunchSpec, ModelSettings, ModelSummary, NewModel


class ModelCatalogPort(Protocol):
    """Reads the catalogue. A failure of the catalogue itself is a ``CatalogError``."""

    async def list_models(self) -> list[ModelSummary]:
        """Return every model, in the order in which they were added."""
        ...

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model that ``name`` means (see ``core.names``), or None: unknown and ambiguous alike."""
        ...

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return what an engine needs to load the model, or None where ``resolve_model`` would."""
        ...


class ModelStorePort(ModelCatalogPort, Protocol):
    """Reads and changes the catalogue."""

    async def add_model(self, model: NewModel) -> ModelSummary:
        """Store a model; when this returns, the row survives a kill and a power cut.

        Raises ``ModelExistsError`` when the name or an alias is taken (ignoring case), or a path is.
        """
        ...

    async def remove_model(self, name: str) -> ModelSummary | None:
        """Forget a model and return what it was; its files stay. None when there is no such model."""
        ...

    async def change_model(
        self,
        name: str,
        *,
        aliases: tuple[str, ...] | None = None,
        tags: tuple[str, ...] | None = None,
        settings: ModelSettings | None = None,
    ) -> ModelSummary | None:
        """Replace what is not None and return the model as it is now; None when there is no such model."""
        ...

    async def replace_model(self, name: str, model: NewModel) -> ModelSummary | None:
        """Put other files and facts in the place of a model's; it keeps its id, names, tags, settings and dates.

        For a newer version of the same files: of ``model`` its name, aliases, tags and settings are not looked at.
        None when there is no such model; raises ``ModelExistsError`` when another model has one of the paths.
        """
        ...

    async def note_use(self, used_at: Mapping[int, int]) -> None:
        """Remember when models were used last: Unix time in seconds by id. Ids that are gone are passed over."""
        ...
