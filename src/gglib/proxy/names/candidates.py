"""Resolves the name in a request to the models that may serve it: one, or those of an alias list."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from gglib.core import errors
from gglib.core.kinds import models_of_kind
from gglib.core.models import ModelCapabilities, ModelKind, ModelLaunchSpec, ModelSummary
from gglib.core.names import MAX_CANDIDATES, not_found
from gglib.core.ports import ModelCatalogPort
from gglib.core.profiles import Profile
from gglib.proxy.errors import OneModelNeededError, UnsupportedByModelError
from gglib.proxy.names.aliases import AliasLists
from gglib.proxy.names.profile_names import require_profiled
from gglib.proxy.options import Services

log = logging.getLogger("gglib.proxy")

_KINDS: dict[str, ModelKind] = {
    "/v1/embeddings": "embedding",
    "/embeddings": "embedding",
    "/v1/rerank": "rerank",
    "/rerank": "rerank",
}
"""The kind of model that a path needs; all other forwarded paths need a chat model."""

_USES: dict[ModelKind, str] = {
    "chat": "can chat",
    "embedding": "is served for embeddings",
    "rerank": "is served for reranking",
}


class Candidate(NamedTuple):
    """A model that may serve a request."""

    name: str
    """In the catalogue."""
    spec: ModelLaunchSpec | None
    """None for runtimes that launch nothing."""
    capabilities: ModelCapabilities


async def resolve_candidates(
    name: str, catalog: ModelCatalogPort, aliases: AliasLists, kind: ModelKind | None = None
) -> list[Candidate]:
    """Return the models that ``name`` means, best first: one, or those of an alias list.

    With a ``kind``, an alias list means only its models that requests of the kind may use. Raises
    ``ModelNotFoundError`` if there is none, ``UnsupportedByModelError`` if none is of the kind.
    """
    own = await _resolve(name, catalog)
    if own is not None:
        return [own]
    members = [
        found for member in aliases.find(name) if (found := await _resolve(member, catalog)) is not None
    ]
    candidates = list(dict.fromkeys(members))
    if not candidates:
        raise not_found(name, aliases.suggested(await catalog.list_models()))
    fitting = candidates if kind is None else models_of_kind(candidates, kind)
    if kind is not None and not fitting:
        raise _unsupported(name, candidates, kind, await catalog.list_models())
    return fitting


async def resolve_request(
    name: str, services: Services, kind: ModelKind | None = None
) -> tuple[list[Candidate], Profile | None]:
    """Return the models that the name of a request means, as ``resolve_candidates``, or those of ``model:profile``.

    A model or an alias list of the whole name comes first. Raises ``ModelNotFoundError``, and
    ``UnsupportedByModelError`` for an alias list without a model of the kind.
    """
    catalog, aliases = services.catalog, services.aliases
    try:
        return await resolve_candidates(name, catalog, aliases, kind), None
    except errors.ModelNotFoundError:
        profiled = await require_profiled(name, services)
        return await resolve_candidates(profiled.model.name, catalog, aliases), profiled.profile


async def one_model_error(
    error: errors.ModelNotFoundError, catalog: ModelCatalogPort, aliases: AliasLists
) -> errors.ModelNotFoundError:
    """Return the error of an operation on one model: for the name of an alias list, with the models of the list."""
    alias = aliases.find_listed(error.name, await catalog.list_models())
    if alias is None:
        return error
    return OneModelNeededError(alias.name, tuple(model.name for model in alias.members))


def kind_of(path: str) -> ModelKind:
    """Return the kind of model that a forwarded path needs."""
    return _KINDS.get(path, "chat")


def log_skip(what: str, error: Exception, candidate: Candidate) -> None:
    """Log that a model of an alias list cannot run and ``candidate`` is tried next, for a request id or a task."""
    log.info("%s: %s Trying '%s' instead.", what, error, candidate.name)


async def _resolve(name: str, catalog: ModelCatalogPort) -> Candidate | None:
    spec = await catalog.resolve_for_launch(name)
    if spec is not None:
        return Candidate(spec.model_name, spec, spec.capabilities)
    model = await catalog.resolve_model(name)
    return None if model is None else Candidate(model.name, None, model.capabilities)


def _unsupported(
    alias: str, candidates: Sequence[Candidate], kind: ModelKind, models: Sequence[ModelSummary]
) -> UnsupportedByModelError:
    members = ", ".join(candidate.name for candidate in candidates)
    others = ", ".join(model.name for model in models_of_kind(models, kind)[:MAX_CANDIDATES])
    suggestion = f" Use another model, such as {others}." if others else ""
    return UnsupportedByModelError(
        f"No model of the alias list '{alias}' {_USES[kind]}: it has {members}.{suggestion}", kind
    )
