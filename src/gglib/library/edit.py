"""Edits the user data of a model in the catalogue."""

from dataclasses import replace

from gglib.core.models import ModelEdit, ModelSummary
from gglib.core.names import not_found
from gglib.core.ports.catalog import EditModel, ModelStorePort


async def edit_model(name: str, edit: EditModel, *, store: ModelStorePort) -> ModelSummary:
    """Apply ``edit`` in one transaction and return the model. Raises ``ModelNotFoundError`` with similar names.

    Also raises the errors of ``ModelStorePort.edit_model``.
    """
    changed = await store.edit_model(name, edit)
    if changed is None:
        raise not_found(name, await store.list_models())
    return changed


def pin(model: ModelSummary) -> ModelEdit:
    """Keep the model in memory once it is loaded."""
    return ModelEdit(settings=replace(model.settings, is_pinned=True))


def unpin(model: ModelSummary) -> ModelEdit:
    """Undo ``pin``."""
    return ModelEdit(settings=replace(model.settings, is_pinned=False))
