"""Pins models: through the running server, where the pin takes effect at once, else in the catalogue."""

from typing import TYPE_CHECKING, Any

from gglib.cli.server import models
from gglib.cli.server.instance import find_instance

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.cli.context import Options
    from gglib.core.models import ModelSummary
    from gglib.core.ports.catalog import ModelStorePort


def set_pin(options: "Options", name: str, *, is_pinned: bool) -> dict[str, Any]:
    """Pin or unpin a model and return it as ``gglib show --json`` does. Raises ``GglibError``."""
    if options.remote is not None:
        return models.set_pin(options.remote, name, is_pinned=is_pinned)
    settings = options.tolerant_settings()
    instance = find_instance(settings)
    if instance is not None and instance.endpoint is not None:
        return models.set_pin(instance.endpoint, name, is_pinned=is_pinned)
    return _set_in_catalog(settings, name, is_pinned=is_pinned)


def _set_in_catalog(settings: "Settings", name: str, *, is_pinned: bool) -> dict[str, Any]:
    import msgspec

    from gglib.cli.runner import with_catalog
    from gglib.library.edit import edit_model, pin, unpin
    from gglib.proxy.names.alias_table import lists_by_model
    from gglib.proxy.names.aliases import AliasLists
    from gglib.proxy.routes.responses import Model

    async def change(store: "ModelStorePort") -> "tuple[ModelSummary, list[ModelSummary]]":
        return await edit_model(name, pin if is_pinned else unpin, store=store), await store.list_models()

    changed, models = with_catalog(settings, change)
    lists = lists_by_model(models, AliasLists(settings.aliases))
    shown: dict[str, Any] = msgspec.to_builtins(
        Model.of(changed, None, alias_lists=lists.get(changed.id, ()))
    )
    return shown
