"""Chooses the model of a kind for requests that do not name one: ``default_model``, and names like ``claude-*``."""

from collections.abc import Sequence
from dataclasses import replace

from gglib.core.defaults import IN_MEMORY_ALIAS
from gglib.core.kinds import models_of_kind
from gglib.core.models import ModelKind, ModelSummary
from gglib.core.ports import RuntimeStatus
from gglib.proxy.errors import NoModelInMemoryError
from gglib.proxy.names.resolution import ResolvedName, find_name, unknown_name
from gglib.proxy.options import Services

_STATES = ("ready", "loading")
"""Of models that are in memory, or will be next; one that drains gives way to another model."""


async def default_of_kind(kind: ModelKind | None, services: Services) -> str | None:
    """Return the name of the model for requests that name none; None if none is clear."""
    models = await services.catalog.list_models()
    configured = services.options.default_model
    meant = None if configured is None else await _find(configured, services)
    current = await services.runtime.current_model()
    return choose_default(
        models,
        kind,
        configured=configured,
        meant=() if meant is None else meant.models,
        current=None if current is None else current.model_name,
    )


def choose_default(
    models: Sequence[ModelSummary],
    kind: ModelKind | None,
    *,
    configured: str | None,
    meant: Sequence[ModelSummary],
    current: str | None,
) -> str | None:
    """Return the default among the models of the catalogue for a path that needs ``kind``; None if none is clear.

    A path without a ``kind`` takes any model.

    1. The configured name, if one of the models that it means, ``meant``, is of the kind.
    2. The only one of the kind.
    3. The most recently used one in memory, ``current``.
    """
    fitting = list(models) if kind is None else models_of_kind(models, kind)
    if {model.id for model in meant} & {model.id for model in fitting}:
        return configured
    if len(fitting) == 1:
        return fitting[0].name
    return next((model.name for model in fitting if model.name == current), None)


async def require_for_kind(name: str, services: Services, kind: ModelKind | None) -> ResolvedName:
    """Return what a name means; for requests of a ``kind``, also a name of ``IN_MEMORY_ALIAS``.

    Raises ``ModelNotFoundError``.
    """
    found = await _find(name, services)
    if found is None and kind is not None:
        found = await find_in_memory(name, kind, services)
    if found is None:
        raise await unknown_name(name, services.catalog, services.aliases, services.profiles)
    return found


async def find_in_memory(name: str, kind: ModelKind, services: Services) -> ResolvedName | None:
    """Return what a name of ``IN_MEMORY_ALIAS`` means for requests of ``kind``; None for any other name.

    The model in memory comes first, whatever ``default_model`` is: another one would have to be loaded. Raises
    ``NoModelInMemoryError`` if the rule of ``default_model`` chooses none either.
    """
    if not services.aliases.is_in_memory_alias(name):
        return None
    models = await services.catalog.list_models()
    current = await services.runtime.current_model()
    chosen = choose_in_memory(
        models_of_kind(models, kind),
        current=None if current is None else current.model_name,
        status=await services.runtime.status(),
    )
    if chosen is not None:
        return ResolvedName(name=name, models=(chosen,), alias=IN_MEMORY_ALIAS)
    default = await default_of_kind(kind, services)
    found = None if default is None else await _find(default, services)
    if found is not None:
        return replace(found, name=name, alias=IN_MEMORY_ALIAS)
    if not models:
        return None
    raise NoModelInMemoryError(name, IN_MEMORY_ALIAS, tuple(model.name for model in models))


def choose_in_memory(
    fitting: Sequence[ModelSummary], *, current: str | None, status: RuntimeStatus
) -> ModelSummary | None:
    """Return the model of ``fitting`` whose use causes no swap, or no further one; None if there is none.

    1. The most recently used one in memory, ``current``.
    2. One that is in memory, then one that loads; the last loaded of several.
    3. One that requests wait for, the longest.
    """
    names = [current]
    for state in _STATES:
        names += [resident.model_name for resident in reversed(status.residents) if resident.state == state]
    waiting = sorted(status.waiting, key=lambda waits: -waits.longest_wait_s)
    names += [waits.model_name for waits in waiting]
    by_name = {model.name: model for model in fitting}
    return next((by_name[name] for name in names if name in by_name), None)


async def _find(name: str, services: Services) -> ResolvedName | None:
    return await find_name(name, services.catalog, services.aliases, services.profiles)
