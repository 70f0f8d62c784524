"""The port that reloads the settings of a running server, and its result. Secrets are never part of the values."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """A setting whose value differs from that of the running server."""

    setting: str
    """Its name in ``config.toml``."""
    old: str | None
    """The value in use before; None for a secret."""
    new: str | None
    """The value that the sources have now; None for a secret."""
    is_applied: bool
    """False: the change takes effect at the next start of the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadResult:
    """What a reload changed."""

    changes: tuple[SettingChange, ...] = ()
    """In the order of the settings' documentation."""
    replaced_models: tuple[str, ...] = ()
    """Loaded models whose file or launch options changed: they are unloaded after their requests."""
    warnings: tuple[str, ...] = ()
    """Problems that do not prevent the use of the settings, or occurred after they were applied; a sentence each."""


ReloadFunction = Callable[[], Awaitable[ReloadResult]]
"""Reads the settings and the catalogue again and applies the changes.

Completes even if the caller is cancelled. Raises ``InvalidSettingError``, and changes nothing, if a source is invalid,
and ``CatalogError`` if the catalogue fails and no setting was applied.
"""
