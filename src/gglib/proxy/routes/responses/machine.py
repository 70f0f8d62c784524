"""Responses about the machine of the server: its logs, its system and its checks. Values only."""

from dataclasses import dataclass, fields
from typing import Annotated, Self

from msgspec import Meta

from gglib.core.log_lines import LogLine
from gglib.core.ports.logs import LogBatch, LogFile
from gglib.core.ports.system import DiskSpace, EngineFacts, MachineCheck, Processors, SystemFacts
from gglib.proxy.routes.responses.fields import Count, UnixTime
from gglib.proxy.routes.responses.hub import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """All logs."""

    logs: Annotated[
        tuple[LogFile, ...], Meta(description="Those that exist: gglib's, then those of engines, by name.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLogLines:
    """The data of an event ``lines``."""

    lines: tuple[LogLine, ...]
    skipped: Annotated[
        Count, Meta(description="Lines before these that are left out: too many were written at once.")
    ]

    @classmethod
    def of(cls, batch: LogBatch) -> Self:
        """Return the JSON form of new lines."""
        return cls(lines=batch.lines, skipped=batch.skipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The server, and the machine that it runs on."""

    version: str
    python: Annotated[str, Meta(description="Version of Python.")]
    platform: str
    started_at: UnixTime
    uptime_s: float
    home: str
    processors: Processors
    memory: Memory
    disk: Annotated[DiskSpace, Meta(description="The file system of the home.")]
    engine: EngineFacts
    url: Annotated[str, Meta(description="The base URL for clients on this machine.")]
    keys_required: bool

    @classmethod
    def of(cls, facts: SystemFacts) -> Self:
        """Return the JSON form of the facts."""
        same = {field.name: getattr(facts, field.name) for field in fields(cls) if field.name != "memory"}
        return cls(**same, memory=Memory.of(facts.memory))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """The results of the checks of ``gglib doctor``."""

    checks: tuple[MachineCheck, ...]
