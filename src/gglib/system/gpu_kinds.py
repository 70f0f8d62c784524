"""A GPU of this machine, whether an engine uses it or not. Values only."""

from dataclasses import dataclass
from enum import Enum


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
        return self.vendor is GpuVendor.NVIDIA or (self.memory_bytes or 0) >= 2**30
