"""Responses about the server itself: its health, errors, and reloaded settings. Values only."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from msgspec import Meta

from gglib.core.ports.reload import ReloadResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The server responds."""

    status: Literal["ok"] = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Whether the server is ready for new requests; the status of the response is 503 unless it is."""

    status: Literal["starting", "ready", "draining"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetail:
    """OpenAI's error object."""

    message: str
    type: str
    param: str | None
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """An error response."""

    error: ErrorDetail


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """A setting whose value differs from that of the running server."""

    setting: Annotated[str, Meta(description="Its name in `config.toml`.")]
    old: Annotated[str | None, Meta(description="The value in use before; null for access keys.")]
    new: Annotated[str | None, Meta(description="The value now; null for access keys.")]
    applied: Annotated[bool, Meta(description="False: it takes effect at the next start of the server.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What a reload changed."""

    settings: tuple[SettingChange, ...]
    replaced_models: Annotated[
        tuple[str, ...],
        Meta(description="Models in memory whose options changed: unloaded after their requests."),
    ]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, result: ReloadResult) -> Self:
        """Return the JSON form of a result."""
        return cls(
            settings=tuple(
                SettingChange(
                    setting=change.setting, old=change.old, new=change.new, applied=change.is_applied
                )
                for change in result.changes
            ),
            replaced_models=result.replaced_models,
            warnings=result.warnings,
        )
