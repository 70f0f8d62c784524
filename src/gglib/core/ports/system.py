"""The port that describes and checks the machine of a server. For admins: the values contain paths.

Sizes in bytes, times in Unix seconds, durations in seconds.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from gglib.core.memory import MachineMemory


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
    devices: tuple[str, ...] | None
    """The engine's names of the GPUs that it can use; None if it cannot list them."""


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
