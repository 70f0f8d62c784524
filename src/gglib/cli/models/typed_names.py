"""Completes the names that a user types: for commands, a unique beginning of a model's name is enough.

The order is that of requests (``core.names``), then a unique prefix, ignoring case. Requests need whole names.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gglib.core.errors import ModelNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.name_rules import normalized_name
from gglib.core.names import find_model, not_found
from gglib.core.profiles import SEPARATOR, Profile, find_profiled

if TYPE_CHECKING:
    from gglib.core.ports.catalog import ModelCatalogPort
    from gglib.core.ports.store import HomeStorePort

AliasTable = Mapping[str, Sequence[str]]
"""Names of models by alias list, as in the setting ``aliases``."""


def find_by_prefix(typed: str, models: Sequence[ModelSummary]) -> ModelSummary | None:
    """Return the only model with a name or an alias that begins with ``typed``, ignoring case; None if there is none.

    A number is an id and never a prefix: removing the model 7 twice must not remove ``7b-chat``. Raises
    ``ModelNotFoundError`` with the candidates if there are several.
    """
    folded = normalized_name(typed).casefold()
    if not folded or folded.isdecimal():
        return None
    found = [model for model in models if _begins(model, folded)]
    if len(found) > 1:
        raise ModelNotFoundError(typed, tuple(model.name for model in found), is_ambiguous=True)
    return found[0] if found else None


def find_typed(typed: str, models: Sequence[ModelSummary], aliases: AliasTable) -> ModelSummary | None:
    """Return the one model that a typed name means; None if it means none, or is an alias list.

    Raises ``ModelNotFoundError`` for an ambiguous prefix.
    """
    found = find_model(typed, models)
    if found is not None or is_list(typed, aliases):
        return found
    return find_by_prefix(typed, models)


def require_one(typed: str, models: Sequence[ModelSummary], aliases: AliasTable) -> ModelSummary:
    """Return the one model that a typed name means.

    Raises ``ModelNotFoundError``: with similar names, or with the models of an alias list or pattern.
    """
    from gglib.proxy.errors import OneModelNeededError
    from gglib.proxy.names.aliases import AliasLists, members_of

    found = find_typed(typed, models, aliases)
    if found is not None:
        return found
    lists = AliasLists(aliases)
    entry = lists.find(typed)
    for alias in (*lists.matching(typed),) if entry is None else (entry,):
        if members := members_of(alias, models):
            raise OneModelNeededError(typed, alias.name, tuple(model.name for model in members))
    raise not_found(typed, models)


def is_list(typed: str, aliases: AliasTable) -> bool:
    """Whether a typed name is that of an alias list; patterns are no names."""
    from gglib.proxy.names.aliases import AliasLists

    return AliasLists(aliases).find(typed) is not None


def completed_for_request(typed: str, models: Sequence[ModelSummary], profiles: Sequence[Profile]) -> str:
    """Return the name for requests that a typed name, which means nothing by itself, is the beginning of.

    In ``MODEL:PROFILE``, the name of the model may be a prefix. Returns ``typed`` if no model's name begins so; raises
    ``ModelNotFoundError`` for an ambiguous prefix.
    """
    found = find_by_prefix(typed, models)
    if found is not None:
        return found.name
    prefix, separator, profile = typed.rpartition(SEPARATOR)
    model = find_by_prefix(prefix, models) if separator else None
    if model is None:
        return typed
    name = f"{model.name}{SEPARATOR}{profile}"
    return typed if find_profiled(name, models, profiles) is None else name


async def require_typed_model(store: "ModelCatalogPort", typed: str, aliases: AliasTable) -> ModelSummary:
    """Return the one model that a typed name means. Raises ``ModelNotFoundError`` with similar names."""
    model = await store.resolve_model(typed)
    if model is not None:
        return model
    models = await store.list_models()
    model = find_typed(typed, models, aliases)
    if model is None:
        raise not_found(typed, models)
    return model


async def require_typed_models(
    store: "ModelCatalogPort", typed: Sequence[str], aliases: AliasTable
) -> list[ModelSummary]:
    """Return the models of typed names, each once. Raises ``ModelNotFoundError`` with similar names."""
    found = [await require_typed_model(store, name, aliases) for name in typed]
    return list({model.id: model for model in found}.values())


async def complete_for_request(store: "HomeStorePort", typed: str, aliases: AliasTable) -> str:
    """Return the name for requests that a typed name means; ``typed`` if it means nothing.

    Alias lists, patterns and ``MODEL:PROFILE`` precede a prefix, as they do on the server. Raises
    ``ModelNotFoundError`` for an ambiguous prefix.
    """
    from gglib.proxy.names.aliases import AliasLists
    from gglib.proxy.names.resolution import find_name

    if await find_name(typed, store, AliasLists(aliases), store) is not None:
        return typed
    return completed_for_request(typed, await store.list_models(), await store.list_profiles())


def _begins(model: ModelSummary, folded: str) -> bool:
    spellings = (model.name, *model.aliases)
    return any(normalized_name(spelling).casefold().startswith(folded) for spelling in spellings)
