"""Responses about access keys. Values only; they never have the keys themselves."""

from dataclasses import dataclass
from typing import Annotated, Self

from msgspec import Meta

from gglib.core.api_keys import ApiKey
from gglib.proxy.limits import key_meter


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """What a key with limits uses now."""

    requests: Annotated[int, Meta(description="Admitted in the last 60 seconds; 0 where `rpm` is not set.")]
    tokens: Annotated[
        int, Meta(description="Of requests that ended in the last 60 seconds; 0 where `tpm` is not set.")
    ]
    reserved_tokens: Annotated[int, Meta(description="Estimated for the requests in progress.")]
    running: Annotated[int, Meta(description="Requests in progress.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The rights, limits and use of a key."""

    name: str
    models: Annotated[tuple[str, ...], Meta(description="Patterns of the models that it may use.")]
    admin: bool
    priority: Annotated[str | None, Meta(description="`interactive` or `batch`; null: that of the model.")]
    rpm: Annotated[int | None, Meta(description="Requests per minute; null, here and below: no limit.")]
    tpm: Annotated[int | None, Meta(description="Tokens per minute.")]
    parallel: Annotated[int | None, Meta(description="Requests at once.")]
    use: Annotated[KeyUse | None, Meta(description="Null without limits.")]

    @classmethod
    def of(cls, name: str, key: ApiKey, use: key_meter.KeyUse | None) -> Self:
        """Return the JSON form of a key."""
        return cls(
            name=name,
            models=key.models,
            admin=key.is_admin,
            priority=None if key.priority is None else key.priority.name.lower(),
            rpm=key.limits.rpm,
            tpm=key.limits.tpm,
            parallel=key.limits.parallel,
            use=None
            if use is None
            else KeyUse(
                requests=use.requests,
                tokens=use.tokens,
                reserved_tokens=use.reserved_tokens,
                running=use.running,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """All keys."""

    keys: Annotated[
        tuple[Key, ...],
        Meta(description="In the order of the settings, without gglib's own; empty if none is required."),
    ]
