"""What is known of the models on this machine."""

from collections.abc import Callable, Mapping
from typing import Protocol

from gglib.core.models import ModelEdit, ModelLaunchSpec, ModelSummary, NewModel

EditModel = Callable[[ModelSummary], ModelEdit]
"""Returns what to change of a model. Runs inside the transaction that applies it, in any thread, and again when that is
repeated: it only computes. What it raises ends the transaction unchanged, and reaches the caller as it is."""


class ModelCatalogPort(Protocol):
    """Reads the catalogue: these three methods are enough to serve with, also without inheriting from this class.

    What is not there is None, never an exception. A failure of the catalogue itself is a ``CatalogError``, which
    clients get as a 500 with its code. Several requests may call at the same time, in one event loop.
    """

    async def list_models(self) -> list[ModelSummary]:
        """Return every model, in the order in which they were added."""
        ...

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model that ``name`` means, or None: unknown and ambiguous alike.

        ``name`` is a request's ``model`` as the client wrote it. gglib's own catalogue tries the name, an alias, the id
        in decimal, then a unique match that ignores case (``core.names.find_model``); another one may have other rules.
        """
        ...

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return what an engine needs to load the model, or None where ``resolve_model`` would.

        The proxy calls it for each request that runs a model and hands what it returns to ``ModelRuntimePort.admit``.
        Beside a runtime that launches nothing it may return None for every model: then ``resolve_model`` decides.
        """
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

    async def edit_model(self, name: str, edit: EditModel) -> ModelSummary | None:
        """Apply ``edit`` to the model as it is now, in one transaction, and return it; None when there is none.

        Edits of different processes are applied one after the other: each sees what the others changed. All of an
        edit is applied or, with ``ModelExistsError``, ``InvalidSettingError`` or what ``edit`` raises, nothing.
        """
        ...

    async def replace_model(
        self, name: str, model: NewModel, *, seen: ModelSummary | None = None
    ) -> ModelSummary | None:
        """Put other files and facts in the place of a model's; it keeps its id, names, tags, settings and dates.

        Of ``model`` its name, aliases, tags and settings are not looked at. A model whose paths stay the same keeps
        its version; with other paths it has none. ``seen`` is the model that ``model`` was computed from: where files,
        hashes, source or version have changed since, nothing is replaced, and this returns None.

        None when there is no such model, too; raises ``ModelExistsError`` when another model has one of the paths.
        """
        ...

    async def note_use(self, used_at: Mapping[int, int]) -> None:
        """Remember when models were used last: Unix time in seconds by id. Ids that are gone are passed over."""
        ...
