"""The port that shows how clients connect to a server. For admins. Access keys are never part of the values."""

from dataclasses import dataclass
from typing import Literal, Protocol

from gglib.core.models import ModelSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRun:
    """The version of a client that was run with gglib, and the day."""

    version: str
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFile:
    """The configuration file of a client, in the home directory of its user."""

    path: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How one client connects."""

    name: str
    title: str
    kind: Literal["program", "application", "library"]
    speaks: tuple[str, ...]
    """The APIs: ``openai``, ``responses``, ``anthropic``, ``ollama``."""
    how: str
    verified: ClientRun | None
    """None: these settings were not run with gglib."""
    where: str
    """Where the text belongs: a dialog, ``in a terminal``, a file."""
    text: str
    """The settings. An access key is a variable or a placeholder in it."""
    start: str | None
    """The command that then uses these settings."""
    note: str | None
    file: ClientFile | None
    launch: str | None
    """The command of gglib that starts the client with these settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKey:
    """What stands for the access key in the settings of clients."""

    name: str
    """The name of a key that may use the model."""
    variable: str
    """The environment variable in which clients find the key."""
    placeholder: str
    """What is shown where only the key itself works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTarget:
    """What a client is connected to."""

    url: str | None
    """The base URL without a path; None: that for clients on this machine."""
    name: str
    """The name for requests, such as ``model:profile``."""
    model: ModelSummary
    """The model, which decides the key."""
    context: int
    """In tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTable:
    """The settings of all clients for one model."""

    model: str
    context: int
    url: str
    key: ClientKey | None
    """None: the server requires none."""
    clients: tuple[ClientSettings, ...]


class ClientsPort(Protocol):
    """Shows how clients connect."""

    def client_settings(self, target: ClientTarget) -> ClientTable:
        """Return the settings of all clients for ``target``."""
        ...
