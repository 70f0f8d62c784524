"""The ports that show a server's machine: its logs, its system, its settings, and how clients connect to it.

Everything here is for admins: the values contain paths. Secrets are never part of them. Sizes in bytes, times in Unix
seconds, durations in seconds.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gglib.core.log_lines import LogLine
from gglib.core.memory import MachineMemory
from gglib.core.models import ModelSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """The log of gglib, or of the engine of a model."""

    name: str
    """``gglib``, or ``engine:MODEL``."""
    kind: Literal["gglib", "engine"]
    model: str | None
    """The model of the engine; None for gglib's log, and for the log of a model that is not in the catalogue."""
    size_bytes: int
    modified_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTail:
    """The last lines of a log."""

    name: str
    lines: tuple[LogLine, ...]
    is_cut: bool
    """Whether the log has earlier lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBatch:
    """New lines of a log."""

    lines: tuple[LogLine, ...]
    skipped: int = 0
    """Number of lines before these that are left out, because too many were written at once."""


class LogsPort(Protocol):
    """Reads the logs. Raises ``LogNotFoundError`` for an unknown name, and ``LogUnreadableError``."""

    async def list_logs(self) -> tuple[LogFile, ...]:
        """Return the logs that exist: gglib's, then those of engines by name."""
        ...

    async def read_log(self, name: str, lines: int) -> LogTail:
        """Return the last ``lines`` lines."""
        ...

    def follow_log(self, name: str, lines: int) -> AsyncGenerator[LogBatch, None]:
        """Yield the last ``lines`` lines at once, then new lines, a few times a second at most, without an end.

        Follows rotation. A slow consumer misses lines, which are counted. A consumer that stops calls ``aclose``.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Processors:
    """The processor of a machine."""

    name: str | None
    count: int
    """Logical processors."""
    usable: int
    """Physical cores that gglib may use, within affinity and quota."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """The file system of the home."""

    path: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """The engine in use."""

    name: str
    """``llama-server`` or ``embedded``."""
    path: str | None
    """None for the embedded engine."""
    version: str | None
    devices: tuple[str, ...]
    """The engine's names of the GPUs that it can use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """The server, and the machine that it runs on."""

    version: str
    python: str
    platform: str
    started_at: int
    uptime_s: float
    home: str
    processors: Processors
    memory: MachineMemory
    disk: DiskSpace
    engine: EngineFacts
    url: str
    """The URL for clients on this machine, without a trailing slash."""
    keys_required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCheck:
    """The result of one check of ``gglib doctor``."""

    name: str
    verdict: Literal["ok", "warn", "fail"]
    message: str
    """What was found, and what to do unless the check passed."""


class SystemPort(Protocol):
    """Describes and checks the machine. Neither call blocks the event loop."""

    async def system(self) -> SystemFacts:
        """Return the facts now."""
        ...

    async def check(self) -> tuple[MachineCheck, ...]:
        """Run all checks, which takes seconds; callers at the same time share one run."""
        ...


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePorts:
    """The ports of one machine, for ``serve``."""

    logs: LogsPort
    system: SystemPort
    settings: SettingsPort
    clients: ClientsPort
