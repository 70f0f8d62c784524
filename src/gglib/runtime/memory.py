"""The manager's interface to memory: the size of a launch, the limit of all launches, and what a launch takes.

``app`` injects the implementation: the runtime knows neither the estimate nor how this machine reports its memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gglib.core.memory import DeviceBytes, DeviceMemory
from gglib.core.models import ModelLaunchSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchedEngine:
    """What an engine was launched with. The settings may have changed since, and its memory follows these options."""

    spec: ModelLaunchSpec
    context: int
    slots: int | None = None
    """None, if it is unknown: the slots of a launch now."""
    prompt_cache_mib: int | None = None
    """The limit of its prompt cache, unless the model's arguments set it. None, if it is unknown: that of a launch now.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The measured memory of an engine, by device."""

    taken: DeviceBytes
    """The most that it took; the expected size on a device that was not measured."""
    size: DeviceBytes
    """What it may take: with buffers that are not used yet, and with its whole prompt cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningEngine:
    """An engine whose process exists."""

    pid: int
    """Its process group."""
    size: DeviceBytes
    """What it is expected to take, by device; empty if that is unknown."""
    is_ready: bool
    """False while it loads: it may take less."""


class MemoryAccounts(Protocol):
    """Sizes and limits in bytes by device. The methods read files and drivers: implement them in worker threads."""

    @property
    def budget(self) -> DeviceBytes:
        """How much all models together may take, whatever other programs use. Read in the loop: must not block."""
        ...

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return what a launch with ``context`` tokens takes: the measured peak of earlier ones, or an estimate."""
        ...

    async def fits_with_all_slots(self, spec: ModelLaunchSpec, context: int) -> bool:
        """Whether a launch has all its slots in the memory that is free now. Without a budget it gets fewer if not."""
        ...

    async def estimate(self, engine: LaunchedEngine) -> DeviceBytes:
        """Return what an engine takes by the estimate alone, whatever was measured, without a margin."""
        ...

    async def devices(self) -> Mapping[str, DeviceMemory]:
        """Read the memory of the RAM and of each GPU that the engine can use, whatever the budget."""
        ...

    async def limits(self, engines: Sequence[RunningEngine]) -> DeviceBytes:
        """Return the budget, or less on devices where other programs need the memory.

        The limit of a device is never above what is free now plus what ``engines``, all that run, would give back.
        """
        ...

    async def measure(self, engine: LaunchedEngine, pid: int) -> Measurement | None:
        """Measure a ready engine, and keep the peak for ``size_of``; None if its memory cannot be read."""
        ...

    async def record_out_of_memory(self, engine: LaunchedEngine, size: DeviceBytes) -> DeviceBytes:
        """Record that a load with an expected ``size`` ran out of memory; return the raised size for the next one."""
        ...

    async def advice(self, spec: ModelLaunchSpec, context: int) -> str:
        """Return what would fit instead, as a sentence for clients: a smaller context or another model; or empty."""
        ...
