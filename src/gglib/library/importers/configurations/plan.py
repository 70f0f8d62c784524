"""What a configuration file of another program describes, in gglib's terms. Pure values: nothing was looked up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.models import ModelSettings
from gglib.core.profiles import Profile

EngineOption = tuple[str, ...]
"""An option of llama-server, with its value if it has one: ``("--temp", "0.7")``."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A GGUF file."""

    path: Path
    """As in the configuration; a relative path is not resolved yet."""
    projector: Path | None = None
    has_projector: bool = True
    """False: the model must not get the projector in its directory."""


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model of the Hugging Face hub, which the other program downloads itself."""

    target: str
    """The argument of ``gglib pull``: ``owner/name:QUANT``, ``owner/name/FILE.gguf`` or a URL."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that the other program finds by its name."""


Served = LocalFile | HubModel | KnownModel | CommandBackend | UrlBackend
"""What serves a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedModel:
    """A model of a configuration."""

    where: str
    """The place in the file: ``models.qwen``."""
    name: str
    served: Served
    aliases: tuple[str, ...] = ()
    description: str = ""
    settings: ModelSettings = field(default_factory=ModelSettings)
    """Without engine arguments: whether the engine in use takes an option is not known here."""
    options: tuple[EngineOption, ...] = ()
    """The options of its llama-server that gglib does not set itself, in order."""
    profiles: tuple[Profile, ...] = ()


@dataclass(frozen=True, slots=True)
class WantedSetting:
    """A setting of ``config.toml``."""

    where: str
    key: str
    value: Any
    """As ``config.toml`` has it."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A value of a configuration that is not imported. Never contains a secret."""

    where: str
    reason: str
    """A phrase."""
    instead: str | None = None
    """What to use instead: a command, or a sentence without its full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The content of a configuration file."""

    models: tuple[WantedModel, ...] = ()
    settings: tuple[WantedSetting, ...] = ()
    leftovers: tuple[Leftover, ...] = ()


Environment = Mapping[str, str]
"""The environment variables that a configuration may refer to."""
