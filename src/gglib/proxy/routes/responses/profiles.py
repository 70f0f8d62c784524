"""Responses about profiles. Values only."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from msgspec import Meta

from gglib.core import profiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Defaults for the fields that a request for `MODEL:PROFILE` does not set."""

    name: str
    model: Annotated[str | None, Meta(description="Name of its model; null: it belongs to all models.")]
    description: str
    system: Annotated[str | None, Meta(description="System prompt of requests without one.")]
    defaults: Annotated[dict[str, Any], Meta(description="Values of request fields, by name.")]
    template_kwargs: Annotated[
        dict[str, Any], Meta(description="Members of `chat_template_kwargs`, by name.")
    ]
    strip: Annotated[tuple[str, ...], Meta(description="Fields that are removed from requests.")]

    @classmethod
    def of(cls, profile: profiles.Profile, model_name: str | None) -> Self:
        """Return the JSON form of a profile. ``model_name`` is None for a profile of all models."""
        return cls(
            name=profile.name,
            model=model_name,
            description=profile.description,
            system=profile.system,
            defaults=dict(profile.defaults),
            template_kwargs=dict(profile.template_kwargs),
            strip=profile.strip,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """All profiles."""

    profiles: Annotated[tuple[Profile, ...], Meta(description="In the order in which they were added.")]
