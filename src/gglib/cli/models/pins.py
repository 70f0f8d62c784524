"""Pins models: through the running server, where the pin takes effect at once, else in the catalogue."""

from typing import TYPE_CHECKING, Any

from gglib.cli.server import models
from gglib.cli.server.instance import find_instance

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.cli.context import Options
    from gglib.core.addresses import Endpoint
    from gglib.core.models import ModelSummary
    from gglib.core.ports.catalog import ModelStorePort


def set_pin(options: "Options", name: str, *, is_pinned: bool) -> dict[str, Any]:
    """Pin or unpin a model and return it as ``gglib show --json`` does. Raises ``GglibError``."""
    if options.remote is not None:
        return _set_on_server(options.remote, name, is_pinned=is_pinned)
    settings = options.tolerant_settings()
    instance = find_instance(settings)
    if instance is not None and instance.endpoint is not None:
        return _set_on_server(instance.endpoint, name, is_pinned=is_pinned)
    return _set_in_catalog(settings, name, is_pinned=is_pinned)


def _set_on_server(server: "Endpoint", name: str, *, is_pinned: bool) -> dict[str, Any]:
    (model,) = models.require_models(server, [name])
    return models.set_pin(server, str(model.id), is_pinned=is_pinned)


def _set_in_catalog(settings: "Settings", name: str, *, is_pinned: bool) -> dict[str, Any]:
    from gglib.cli.models.model_json import model_json
    from gglib.cli.models.typed_names import require_typed_model
    from gglib.cli.sessions import with_catalog
    from gglib.library.edit import edit_model, pin, unpin

    async def change(store: "ModelStorePort") -> "tuple[ModelSummary, list[ModelSummary]]":
        known = await require_typed_model(store, name, settings.aliases)
        edit = pin if is_pinned else unpin
        return await edit_model(str(known.id), edit, store=store), await store.list_models()

    return model_json(*with_catalog(settings, change), settings)
