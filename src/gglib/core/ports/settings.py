"""The port that shows the settings of a server. For admins: values contain paths. Secrets are never part of them."""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingValue:
    """A setting in use, and where its value comes from."""

    setting: str
    value: Any
    """As ``config.toml`` has it, sizes in bytes; None: not set. Of access keys only the names."""
    shown: str
    """The value on one line; empty if it is not set."""
    source: str
    """``default``, ``config.toml``, a variable or an option."""
    overrides: tuple[str, ...]
    """Other sources that set it, too, and are not used."""
    is_live: bool
    """Whether a running server applies a change without a restart."""
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingTable:
    """All settings of a server."""

    path: str
    """The path of ``config.toml``."""
    settings: tuple[SettingValue, ...]
    """In the order of their documentation."""


class SettingsPort(Protocol):
    """Shows the settings of a running server."""

    def settings(self) -> SettingTable:
        """Return the settings in use."""
        ...
