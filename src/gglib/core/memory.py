"""The memory need of a model, the memory of a machine, and the verdict on both. Values only; sizes in bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

RAM = "ram"
"""The device name of the RAM. GPUs are ``gpu0``, ``gpu1`` and so on, in the order of ``MachineMemory.gpus``."""

DeviceBytes = Mapping[str, int]
"""Bytes by device name. A missing device means 0 for a size, and no limit for a limit."""


class Fit(Enum):
    """Whether a model can run in the free memory."""

    FITS = "fits"
    TIGHT = "tight"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """The memory that a running model takes, by purpose."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    overhead_bytes: int
    left_behind_bytes: int = 0
    """Weights that the engine has repacked for the CPU. The original pages are not part of the total: they stay in the
    page cache until another process needs the memory."""
    is_exact: bool
    """Whether the shape comes from the model's header; else it is estimated from the file size."""

    @property
    def total_bytes(self) -> int:
        """The total need."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes + self.overhead_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuMemory:
    """The memory of one GPU."""

    name: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineMemory:
    """A snapshot of a machine's memory; None where the system reports nothing."""

    total_bytes: int | None
    available_bytes: int | None
    gpus: tuple[GpuMemory, ...] = ()
