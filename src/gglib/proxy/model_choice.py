"""Chooses the models that may serve a request: the named one, those of an alias list, or a default."""

from collections.abc import Sequence
from typing import NamedTuple

from gglib.core import errors
from gglib.core.models import ModelKind, ModelLaunchSpec, ModelSummary
from gglib.core.names import MAX_OTHERS, not_found
from gglib.core.profiles import Profile
from gglib.proxy.access.visible_catalog import VisibleCatalog
from gglib.proxy.aliases import AliasLists
from gglib.proxy.errors import BadRequestError
from gglib.proxy.options import Services
from gglib.proxy.profile_names import require_profiled

_KINDS: dict[str, ModelKind] = {
    "/v1/embeddings": "embedding",
    "/embeddings": "embedding",
    "/v1/rerank": "rerank",
    "/rerank": "rerank",
}
"""The kind of model that a path needs; all other forwarded paths need a chat model."""

CANNOT_RUN = (
    errors.ModelNotFoundError,
    errors.ModelFileNotFoundError,
    errors.ModelLoadFailedError,
    errors.ModelTooLargeError,
    errors.ModelsPinnedError,
    errors.InsufficientMemoryError,
    errors.EngineArgumentError,
)
"""Errors after which the next model of an alias list is tried: this model cannot run now, another one may."""


class Candidate(NamedTuple):
    """A model that may serve a request."""

    name: str
    """In the catalogue."""
    spec: ModelLaunchSpec | None
    """None for runtimes that launch nothing."""


async def resolve_candidates(name: str, services: Services) -> list[Candidate]:
    """Return the models that ``name`` means, best first: one, or those of an alias list.

    Raises ``ModelNotFoundError`` if there is none.
    """
    own = await _resolve(name, services)
    if own is not None:
        return [own]
    names = services.aliases.find(name)
    candidates = [found for member in names if (found := await _resolve(member, services)) is not None]
    if candidates:
        return list(dict.fromkeys(candidates))
    raise not_found(name, services.aliases.suggested(await services.catalog.list_models()))


async def resolve_request(name: str, services: Services) -> tuple[list[Candidate], Profile | None]:
    """Return the models that the name of a request means, as ``resolve_candidates``, or those of ``model:profile``.

    A model or an alias list of the whole name comes first. Raises ``ModelNotFoundError``.
    """
    try:
        return await resolve_candidates(name, services), None
    except errors.ModelNotFoundError:
        profiled = await require_profiled(name, services)
        return await resolve_candidates(profiled.model.name, services), profiled.profile


async def _resolve(name: str, services: Services) -> Candidate | None:
    spec = await services.catalog.resolve_for_launch(name)
    if spec is not None:
        return Candidate(spec.model_name, spec)
    model = await services.catalog.resolve_model(name)
    return None if model is None else Candidate(model.name, None)


async def default_model(path: str, services: Services) -> str:
    """Return the model for a request that names none.

    Raises ``BadRequestError``, which lists the models, or ``ModelNotFoundError`` for a configured name; not for a key
    that may use some models only: the configured one may be another.
    """
    models = await services.catalog.list_models()
    current = await services.runtime.current_model()
    name = choose_default(
        models,
        _KINDS.get(path, "chat"),
        services.aliases,
        configured=services.options.default_model,
        current=None if current is None else current.model_name,
    )
    if name is not None:
        return name
    configured = services.options.default_model
    is_limited = isinstance(services.catalog, VisibleCatalog)
    if configured is not None and not is_limited and not services.aliases.models_of(configured, models):
        raise not_found(configured, models)
    raise BadRequestError(_no_model_message(models, is_limited=is_limited), "model")


def choose_default(
    models: Sequence[ModelSummary],
    kind: ModelKind,
    aliases: AliasLists,
    *,
    configured: str | None,
    current: str | None,
) -> str | None:
    """Return the default among the models of the catalogue for a path that needs ``kind``; None if none is clear.

    1. The configured one, or alias list, if it is of the kind.
    2. The only one of the kind.
    3. The most recently used one in memory, ``current``.
    """
    fitting = [model for model in models if _can_serve(model, kind)]
    if configured is not None and aliases.models_of(configured, fitting):
        return configured
    if len(fitting) == 1:
        return fitting[0].name
    return next((model.name for model in fitting if model.name == current), None)


def _can_serve(model: ModelSummary, kind: ModelKind) -> bool:
    """Whether a model is of this kind; a model without known capabilities may be of any."""
    capabilities = model.capabilities
    is_known = capabilities.chat or capabilities.embedding or capabilities.rerank
    return not is_known or bool(getattr(capabilities, kind))


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
