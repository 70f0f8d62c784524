"""Completes the name of a model in a filter, as other commands do: a unique beginning is enough."""

from contextlib import suppress
from typing import TYPE_CHECKING

from gglib.core.errors import GglibError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gglib.cli.context import Options
    from gglib.core.models import ModelSummary


def complete_model(options: "Options", typed: str, profile: str | None = None) -> tuple[str, str | None]:
    """Return the name of a model, and the profile of ``MODEL:PROFILE`` if ``profile`` is None.

    Another name is returned unchanged: the history has models that were removed. Raises
    ``ModelNotFoundError`` for an ambiguous beginning.
    """
    models: Sequence[ModelSummary] = ()
    with suppress(GglibError):  # a key may have no right to list models
        models = _models(options)
    return completed(typed, profile, models)


def completed(typed: str, profile: str | None, models: "Sequence[ModelSummary]") -> tuple[str, str | None]:
    """Return the name and the profile, given the models. Raises ``ModelNotFoundError``."""
    from gglib.cli.models.typed_names import find_typed
    from gglib.core.profiles import SEPARATOR

    found = find_typed(typed, models, {})
    if found is not None:
        return found.name, profile
    name, separator, named_profile = typed.rpartition(SEPARATOR)
    found = find_typed(name, models, {}) if separator and profile is None else None
    return (typed, profile) if found is None else (found.name, named_profile)


def _models(options: "Options") -> "Sequence[ModelSummary]":
    from gglib.cli.server.models import served_models
    from gglib.cli.sessions import with_catalog

    if options.remote is not None:
        return served_models(options.remote)
    settings = options.tolerant_settings()
    return with_catalog(settings, lambda store: store.list_models())
