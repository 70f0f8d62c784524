"""Chooses the model of a request that names none."""

from collections.abc import Sequence

from gglib.core.kinds import models_of_kind
from gglib.core.models import ModelKind, ModelSummary
from gglib.core.names import MAX_OTHERS
from gglib.proxy.access.visible_catalog import VisibleCatalog
from gglib.proxy.errors import BadRequestError
from gglib.proxy.names.candidates import kind_of
from gglib.proxy.names.profile_names import require_profiled
from gglib.proxy.options import Services


async def default_model(path: str, services: Services) -> str:
    """Return the model for a request that names none.

    Raises ``BadRequestError``, which lists the models, or ``ModelNotFoundError`` for a configured name; not for a key
    that may use some models only: the configured one may be another.
    """
    models = await services.catalog.list_models()
    configured = services.options.default_model
    meant = () if configured is None else await _models_of(configured, models, services)
    current = await services.runtime.current_model()
    name = choose_default(
        models,
        kind_of(path),
        configured=configured,
        meant=meant,
        current=None if current is None else current.model_name,
    )
    if name is not None:
        return name
    is_limited = isinstance(services.catalog, VisibleCatalog)
    if configured is not None and not is_limited and not meant:
        await require_profiled(configured, services)  # raises the error with similar names
    raise BadRequestError(_no_model_message(models, is_limited=is_limited), "model")


def choose_default(
    models: Sequence[ModelSummary],
    kind: ModelKind,
    *,
    configured: str | None,
    meant: Sequence[ModelSummary],
    current: str | None,
) -> str | None:
    """Return the default among the models of the catalogue for a path that needs ``kind``; None if none is clear.

    1. The configured name, if one of the models that it means, ``meant``, is of the kind.
    2. The only one of the kind.
    3. The most recently used one in memory, ``current``.
    """
    fitting = models_of_kind(models, kind)
    if any(model in fitting for model in meant):
        return configured
    if len(fitting) == 1:
        return fitting[0].name
    return next((model.name for model in fitting if model.name == current), None)


async def _models_of(
    name: str, models: Sequence[ModelSummary], services: Services
) -> tuple[ModelSummary, ...]:
    """Return the models of ``models`` that a name means: one, those of an alias list, or that of ``model:profile``."""
    found = services.aliases.models_of(name, models)
    if found or services.profiles is None:
        return found
    profiled = await services.profiles.resolve_profile(name)
    return tuple(model for model in models if profiled is not None and model.id == profiled.model.id)


def _no_model_message(models: Sequence[ModelSummary], *, is_limited: bool) -> str:
    if not models and is_limited:
        return "The request names no 'model', and this API key may use none of the models."
    if not models:
        return (
            "The request names no 'model', and the catalogue is empty: 'gglib pull' or 'gglib add' adds one."
        )
    names = ", ".join(model.name for model in models[:MAX_OTHERS])
    more = len(models) - MAX_OTHERS
    rest = f" and {more} more ('gglib list')" if more > 0 else ""
    return f"The request names no 'model', and no default fits: send one of {names}{rest}, or set 'default_model'."
