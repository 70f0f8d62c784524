"""The GPUs of this machine, whether an engine uses them or not. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gglib.core.memory import GpuMemory

LEAST_OWN_BYTES = 2**30
"""A GPU with less memory is part of the processor: its memory is a part of the RAM that the firmware has reserved, and
engines use the RAM itself. A larger reserve (Strix Halo: up to 96 GiB) is used like memory of its own."""


class GpuVendor(Enum):
    """A maker of GPUs that llama.cpp has backends for."""

    NVIDIA = "NVIDIA"
    AMD = "AMD"
    INTEL = "Intel"
    APPLE = "Apple"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU, as the system lists it."""

    vendor: GpuVendor
    name: str
    memory_bytes: int | None = None
    """Its own memory; None: unknown, or it uses the RAM."""
    has_driver: bool = True
    """Whether a driver that engines can use responds."""

    @property
    def is_discrete(self) -> bool:
        """Whether it has memory of its own, so that not using it is a loss."""
        return self.vendor is GpuVendor.NVIDIA or (self.memory_bytes or 0) >= LEAST_OWN_BYTES


@dataclass(frozen=True, slots=True)
class GpuState:
    """The memory of one GPU and of its processes."""

    memory: GpuMemory
    process_bytes: Mapping[int, int] = field(default_factory=dict)
    """Memory by process id; processes that the driver does not show are missing."""
