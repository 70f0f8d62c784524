"""A setting: its name, its parser and its description. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

SPEC = "setting"
"""The key of a field's metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSpec:
    """The name, parser and description of a setting."""

    key: str = ""
    """Its name in ``config.toml``, if different from the field's; the variable and the option are derived from it."""
    field: str = ""
    parse: Callable[[object], object]
    expected: str
    """The expected value, for error messages; for a secret, the message of ``parse`` is used, without the value."""
    help: str
    env_key: str | None = None
    is_secret: bool = False
    is_live: bool = True
    """Whether a reload applies it to a running server; False: at the next start."""

    @property
    def env(self) -> str:
        """The environment variable."""
        return f"GGLIB_{(self.env_key or self.key).upper()}"

    @property
    def option(self) -> str:
        """The command-line option."""
        return "--" + self.key.replace("_", "-")


def setting(  # noqa: PLR0913 - a setting is defined in one place
    default: T,
    parse: Callable[[object], object],
    expected: str,
    help: str,  # noqa: A002 - as click has it
    *,
    key: str = "",
    env_key: str | None = None,
    is_secret: bool = False,
    is_live: bool = True,
) -> T:
    """Return a field of ``Settings`` that a user may set; see ``SettingSpec``."""
    spec = SettingSpec(
        key=key,
        parse=parse,
        expected=expected,
        help=help,
        env_key=env_key,
        is_secret=is_secret,
        is_live=is_live,
    )
    made: T = field(default_factory=lambda: default, repr=not is_secret, metadata={SPEC: spec})
    return made
