"""Profiles: named defaults for requests, used as ``model:profile``. Pure.

A profile belongs to one model or to all. It fills in fields that a request does not set, and removes the fields of
``strip``. Names of models take precedence: ``llama3:8b`` is a profile only if no model has this name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gglib.core.errors import ModelNotFoundError, ProfileNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.names import find_model, not_found

SEPARATOR = ":"
"""Between the names of model and profile; the last one counts, because model names may have it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Named defaults for requests. The mappings must not be changed."""

    name: str
    model_id: int | None = None
    """The id of its model; None: it belongs to all models."""
    description: str = ""
    system: str | None = None
    """The system prompt of requests without one."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """JSON values of body fields, by name."""
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """JSON values of members of ``chat_template_kwargs``, by name."""
    strip: tuple[str, ...] = ()
    """Body fields that are removed from requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfiledModel:
    """What ``model:profile`` resolves to."""

    model: ModelSummary
    profile: Profile

    @property
    def name(self) -> str:
        """The name for requests."""
        return f"{self.model.name}{SEPARATOR}{self.profile.name}"


def find_profile(name: str, model_id: int | None, profiles: Iterable[Profile]) -> Profile | None:
    """Return the profile ``name`` that belongs to exactly this model, or to all (None), ignoring case."""
    folded = name.casefold()
    return next(
        (known for known in profiles if known.model_id == model_id and known.name.casefold() == folded), None
    )


def find_profiled(
    name: str, models: Sequence[ModelSummary], profiles: Sequence[Profile]
) -> ProfiledModel | None:
    """Return the model and the profile that ``model:profile`` resolves to; None if either is unknown.

    The caller has checked that no model has this name. A profile of the model takes precedence over one of all models.
    """
    model_name, _, profile_name = name.rpartition(SEPARATOR)
    model = find_model(model_name, models) if model_name else None
    if model is None:
        return None
    profile = find_profile(profile_name, model.id, profiles) or find_profile(profile_name, None, profiles)
    return None if profile is None else ProfiledModel(model=model, profile=profile)


def profiles_of(model: ModelSummary, profiles: Iterable[Profile]) -> list[Profile]:
    """Return the profiles of a model: its own, then those of all models that it does not replace."""
    own: dict[str, Profile] = {}
    shared: dict[str, Profile] = {}
    for profile in profiles:
        if profile.model_id == model.id:
            own[profile.name.casefold()] = profile
        elif profile.model_id is None:
            shared[profile.name.casefold()] = profile
    return [*own.values(), *(profile for folded, profile in shared.items() if folded not in own)]


def listed_profiles(models: Sequence[ModelSummary], profiles: Sequence[Profile]) -> list[ProfiledModel]:
    """Return every ``model:profile`` that clients are offered, in the order of the models.

    Profiles of all models are not offered for embedding models and rerankers, and names that a model has are not
    offered for a profile.
    """
    taken = {spelling.casefold() for model in models for spelling in (model.name, *model.aliases)}
    found: list[ProfiledModel] = []
    for model in models if profiles else ():
        is_generating = not (model.capabilities.embedding or model.capabilities.rerank)
        found += [
            profiled
            for profile in profiles_of(model, profiles)
            if is_generating or profile.model_id is not None
            if (profiled := ProfiledModel(model=model, profile=profile)).name.casefold() not in taken
        ]
    return found


def profile_not_found(
    name: str, models: Sequence[ModelSummary], profiles: Sequence[Profile]
) -> ModelNotFoundError:
    """Return the error for a name that resolves to nothing.

    It names the model's profiles if the part before the last ``:`` is a model that has any.
    """
    model_name, _, profile_name = name.rpartition(SEPARATOR)
    model = find_model(model_name, models) if model_name else None
    offered = () if model is None else tuple(profile.name for profile in profiles_of(model, profiles))
    if model is None or not offered:
        return not_found(name, models)
    return ProfileNotFoundError(name, model.name, profile_name, offered)
