"""Checks the names of models in the settings against the catalogue. Pure."""

from collections.abc import Iterator, Sequence

from gglib.app.settings import Settings
from gglib.core.models import ModelSummary
from gglib.core.names import find_model, not_found


def name_warnings(settings: Settings, models: Sequence[ModelSummary]) -> Iterator[str]:
    """Yield a sentence for each name in the settings that means no model, or not the one that the user expects."""
    entries = [ModelSummary(id=-1, name=alias) for alias in settings.aliases]
    defaults = () if settings.default_model is None else (settings.default_model,)
    for setting, names in (("preload", settings.preload), ("default_model", defaults)):
        for name in names:
            if find_model(name, models) is None and find_model(name, entries) is None:
                yield f"Setting '{setting}': {not_found(name, [*models, *entries])}"
    for alias, names in settings.aliases.items():
        if find_model(alias, models) is not None:
            yield f"Setting 'aliases': '{alias}' is the name of a model, so the alias is ignored."
        for name in names:
            if find_model(name, models) is None:
                yield f"Setting 'aliases', '{alias}': {not_found(name, models)}"
