"""Finds the settings that name a model. Pure."""

from collections.abc import Iterator, Sequence

from gglib.app.settings.definitions import Settings
from gglib.core.models import ModelSummary
from gglib.core.names import find_model
from gglib.core.profiles import SEPARATOR
from gglib.proxy.access.model_filter import ModelFilter


def lost_references(
    settings: Settings, before: ModelSummary, models: Sequence[ModelSummary]
) -> Iterator[str]:
    """Yield the settings that named the model ``before`` and do not any more; ``models`` are all after the change.

    The change is a renaming, or a removal: then keys are left out, since many allow all models of a pattern.
    ``MODEL:PROFILE`` in ``default_model`` names the model, too.
    """
    after = next((model for model in models if model.id == before.id), None)

    def is_lost(name: str) -> bool:
        return find_model(name, [before]) is not None and (after is None or find_model(name, models) != after)

    default = settings.default_model
    if default is not None and (is_lost(default) or is_lost(default.rpartition(SEPARATOR)[0])):
        yield "default_model"
    if any(map(is_lost, settings.preload)):
        yield "preload"
    for alias, names in settings.aliases.items():
        if any(map(is_lost, names)):
            yield f"aliases '{alias}'"
    if any(map(is_lost, settings.model_nodes)):
        yield "model_nodes"
    for key_name, key in settings.api_keys.items():
        allows = ModelFilter(key.models).allows
        if after is not None and allows(before) and not allows(after):
            yield f"api_keys '{key_name}'"
