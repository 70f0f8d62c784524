"""The catalogue ports: read and change the models of this machine."""

from collections.abc import Callable, Mapping
from typing import Protocol

from gglib.core.models import ModelEdit, ModelLaunchSpec, ModelSummary, NewModel

EditModel = Callable[[ModelSummary], ModelEdit]
"""Returns the change of a model. Runs inside the transaction, in any thread, and again if the transaction is retried,
so it must be pure. An exception rolls the transaction back and reaches the caller unchanged."""


class ModelCatalogPort(Protocol):
    """Reads the catalogue. These three methods are enough for a server; inheriting from this class is not required.

    A missing model is None, never an exception. A failure of the catalogue itself is a ``CatalogError``, which clients
    receive as a 500 with its code. Requests call the methods concurrently, in one event loop.
    """

    async def list_models(self) -> list[ModelSummary]:
        """Return all models, in the order in which they were added."""
        ...

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model that ``name`` resolves to, or None if it is unknown or ambiguous.

        ``name`` is a request's ``model`` as the client sent it. gglib's catalogue tries the name, an alias, the id in
        decimal, then a unique match ignoring case (``core.names.find_model``); other catalogues may have other rules.
        """
        ...

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return what an engine needs to load the model, or None in the cases of ``resolve_model``.

        The proxy calls it for each request that runs a model and passes the result to ``ModelRuntimePort.admit``. With
        a runtime that launches nothing it may return None for every model: then ``resolve_model`` decides.
        """
        ...


class ModelStorePort(ModelCatalogPort, Protocol):
    """Reads and changes the catalogue."""

    async def add_model(self, model: NewModel) -> ModelSummary:
        """Add a model; the row is durable when this returns (kill, power loss).

        Raises ``ModelExistsError`` if the name or an alias (ignoring case) or a path is taken.
        """
        ...

    async def remove_model(self, name: str) -> ModelSummary | None:
        """Remove a model and return its last state, or None if there is no such model. Its files stay."""
        ...

    async def edit_model(self, name: str, edit: EditModel) -> ModelSummary | None:
        """Apply ``edit`` to the current model in one transaction and return the result; None if there is no such model.

        Edits of different processes are serialized: each sees the changes of the earlier ones. An edit is applied
        completely, or not at all if ``ModelExistsError``, ``InvalidSettingError`` or an exception of ``edit`` is
        raised.
        """
        ...

    async def replace_model(
        self, name: str, model: NewModel, *, seen: ModelSummary | None = None
    ) -> ModelSummary | None:
        """Replace a model's files and facts; it keeps its id, names, tags, settings and dates.

        The name, aliases, tags and settings of ``model`` are ignored. A model whose paths stay the same keeps its
        version; with other paths it has none. ``seen`` is the model that ``model`` was computed from: if its files,
        hashes, source or version have changed since, nothing is replaced, and this returns None.

        Also returns None if there is no such model. Raises ``ModelExistsError`` if another model has one of the paths.
        """
        ...

    async def note_use(self, used_at: Mapping[int, int]) -> None:
        """Record when models were last used: Unix time in seconds by id. Unknown ids are ignored."""
        ...
