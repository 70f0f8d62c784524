"""Resolves the name in a request to the candidates for it: the models with what a launch needs, of the right kind."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from gglib.core.kinds import has_kind, models_of_kind
from gglib.core.models import ModelCapabilities, ModelKind, ModelLaunchSpec, ModelSummary
from gglib.core.names import MAX_CANDIDATES
from gglib.core.ports import ModelCatalogPort
from gglib.core.profiles import Profile
from gglib.proxy.errors import UnsupportedByModelError
from gglib.proxy.names.aliases import AliasLists
from gglib.proxy.names.kind_defaults import require_for_kind
from gglib.proxy.names.patterns import is_pattern
from gglib.proxy.names.resolution import ResolvedName, require_name
from gglib.proxy.names.served_paths import BACKEND_PATHS
from gglib.proxy.options import Services

log = logging.getLogger("gglib.proxy")

CHAT: ModelKind = "chat"

_KINDS: dict[str, ModelKind | None] = {
    "/v1/embeddings": "embedding",
    "/embeddings": "embedding",
    "/embedding": "embedding",
    "/v1/rerank": "rerank",
    "/v1/reranking": "rerank",
    "/v2/rerank": "rerank",
    "/rerank": "rerank",
    "/reranking": "rerank",
    "/tokenize": None,
    "/detokenize": None,
    "/apply-template": None,
    **dict.fromkeys(BACKEND_PATHS),
}
"""The kind of model that a path needs, None: any. All other forwarded paths need a chat model."""

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


async def resolve_candidates(name: str, catalog: ModelCatalogPort, aliases: AliasLists) -> list[Candidate]:
    """Return the models that ``name`` means, best first. Raises ``ModelNotFoundError`` if there is none."""
    return await _candidates(await require_name(name, catalog, aliases), catalog)


async def resolve_request(
    name: str, services: Services, kind: ModelKind | None = None
) -> tuple[list[Candidate], Profile | None]:
    """Return the models that the name of a request means, best first, and its profile (``names.resolution``).

    With the ``kind`` of a request, an alias means only its models that requests of the kind may use, and names of
    ``IN_MEMORY_ALIAS`` mean the model in memory. Raises ``ModelNotFoundError``, and ``UnsupportedByModelError`` for an
    alias without a model of the kind.
    """
    catalog = services.catalog
    found = await require_for_kind(name, services, kind)
    candidates = await _candidates(found, catalog)
    if kind is None or found.alias is None:
        return candidates, found.profile
    fitting = models_of_kind(candidates, kind)
    if not fitting:
        raise _unsupported(found.alias, candidates, kind, await catalog.list_models())
    return fitting, found.profile


def kind_of(path: str) -> ModelKind | None:
    """Return the kind of model that a forwarded path needs; None if it needs no particular one."""
    return _KINDS.get(path, CHAT)


def lacks_kind(capabilities: ModelCapabilities, kind: ModelKind | None) -> bool:
    """Whether a model is known to be of another kind. One without known capabilities may be of any."""
    return kind is not None and not getattr(capabilities, kind) and has_kind(capabilities)


def wrong_kind(name: str, kind: ModelKind | None) -> UnsupportedByModelError:
    """Return the error for the model ``name``, which lacks a kind; ``engine_errors.explain`` names other models."""
    use = _USES[kind or CHAT]
    return UnsupportedByModelError(
        f"Model '{name}' cannot serve this path, which needs one that {use}.", kind
    )


def log_skip(what: str, error: Exception, candidate: Candidate) -> None:
    """Log that a model of an alias list cannot run and ``candidate`` is tried next, for a request id or a task."""
    log.info("%s: %s Trying '%s' instead.", what, error, candidate.name)


async def _candidates(found: ResolvedName, catalog: ModelCatalogPort) -> list[Candidate]:
    return [await _candidate(model, catalog) for model in found.models]


async def _candidate(model: ModelSummary, catalog: ModelCatalogPort) -> Candidate:
    spec = await catalog.resolve_for_launch(model.name)
    if spec is None:
        return Candidate(model.name, None, model.capabilities)
    return Candidate(spec.model_name, spec, spec.capabilities)


def _unsupported(
    alias: str, candidates: Sequence[Candidate], kind: ModelKind, models: Sequence[ModelSummary]
) -> UnsupportedByModelError:
    what = "pattern" if is_pattern(alias) else "list"
    members = ", ".join(candidate.name for candidate in candidates)
    others = ", ".join(model.name for model in models_of_kind(models, kind)[:MAX_CANDIDATES])
    suggestion = f" Use another model, such as {others}." if others else ""
    return UnsupportedByModelError(
        f"No model of the alias {what} '{alias}' {_USES[kind]}: it has {members}.{suggestion}", kind
    )
