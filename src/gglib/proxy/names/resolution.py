"""Resolves a name to the models that may serve it: the one place where the order of the kinds of names is decided.

1. A name of the catalogue: exact, alias, number, ignoring case (``core.names``).
2. An alias list.
3. ``model:profile``.
4. A pattern of the alias lists, the most specific first.

An alias whose models are all missing from the catalogue, or hidden from the caller, is passed over.
"""

from dataclasses import dataclass

from gglib.core.errors import ModelNotFoundError, ProfileNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.names import not_found
from gglib.core.ports import ModelCatalogPort
from gglib.core.ports.profiles import ProfilePort
from gglib.core.profiles import Profile, profile_not_found
from gglib.proxy.errors import OneModelNeededError
from gglib.proxy.names.aliases import AliasEntry, AliasLists


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedName:
    """What a name means."""

    name: str
    """The name for clients: the model's, the list's, or for a pattern the requested one."""
    models: tuple[ModelSummary, ...]
    """At least one, best first."""
    alias: str | None = None
    """The list or the pattern that the name resolved by; None for a name of the catalogue and for ``model:profile``."""
    profile: Profile | None = None


async def find_name(
    name: str, catalog: ModelCatalogPort, aliases: AliasLists, profiles: ProfilePort | None = None
) -> ResolvedName | None:
    """Return what a name means; None if it means nothing. Without ``profiles``, ``model:profile`` means nothing."""
    model = await catalog.resolve_model(name)
    if model is not None:
        return ResolvedName(name=model.name, models=(model,))
    entry = aliases.find(name)
    if entry is not None and (members := await _members(entry, catalog)):
        return ResolvedName(name=entry.name, models=members, alias=entry.name)
    profiled = None if profiles is None else await profiles.resolve_profile(name)
    if profiled is not None and await catalog.resolve_model(profiled.model.name) is not None:
        return ResolvedName(name=profiled.name, models=(profiled.model,), profile=profiled.profile)
    for pattern in aliases.matching(name):
        if members := await _members(pattern, catalog):
            return ResolvedName(name=name, models=members, alias=pattern.name)
    return None


async def require_name(
    name: str, catalog: ModelCatalogPort, aliases: AliasLists, profiles: ProfilePort | None = None
) -> ResolvedName:
    """Return what a name means. Raises ``ModelNotFoundError`` with similar names, or ``ProfileNotFoundError``."""
    found = await find_name(name, catalog, aliases, profiles)
    if found is None:
        raise await unknown_name(name, catalog, aliases, profiles)
    return found


async def unknown_name(
    name: str, catalog: ModelCatalogPort, aliases: AliasLists, profiles: ProfilePort | None
) -> ModelNotFoundError:
    """Return the error for a name that means nothing."""
    models = await catalog.list_models()
    error = profile_not_found(name, models, [] if profiles is None else await profiles.list_profiles())
    return error if isinstance(error, ProfileNotFoundError) else not_found(name, aliases.suggested(models))


async def one_model_error(
    error: ModelNotFoundError, catalog: ModelCatalogPort, aliases: AliasLists
) -> ModelNotFoundError:
    """Return the error of an operation on one model: for an alias list or a pattern, with its models."""
    found = await find_name(error.name, catalog, aliases)
    if found is None or found.alias is None:
        return error
    return OneModelNeededError(error.name, found.alias, tuple(model.name for model in found.models))


async def _members(entry: AliasEntry, catalog: ModelCatalogPort) -> tuple[ModelSummary, ...]:
    found = [model for name in entry.members if (model := await catalog.resolve_model(name)) is not None]
    return tuple({model.id: model for model in found}.values())
