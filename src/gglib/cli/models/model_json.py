"""The JSON form of a model of this home, as of ``GET /gglib/models/{name}``."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gglib.app.settings import Settings
    from gglib.core.models import ModelSummary


def model_json(
    model: "ModelSummary", models: "Sequence[ModelSummary]", settings: "Settings", state: str | None = None
) -> dict[str, Any]:
    """Return ``responses.Model`` as JSON values; ``models`` are all of the catalogue, ``state`` as in ``ps``."""
    import msgspec

    from gglib.proxy.names.alias_table import lists_by_model
    from gglib.proxy.names.aliases import AliasLists
    from gglib.proxy.routes.responses import Model

    lists = lists_by_model(models, AliasLists(settings.aliases))
    shown: dict[str, Any] = msgspec.to_builtins(Model.of(model, state, alias_lists=lists.get(model.id, ())))
    return shown
