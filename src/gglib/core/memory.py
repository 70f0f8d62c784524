"""What a model needs of memory, what a machine has, and how the two go together. Values only; sizes in bytes."""

from dataclasses import dataclass
from enum import Enum


class Fit(Enum):
    """Whether a model can run in the memory that is free now."""

    FITS = "fits"
    TIGHT = "tight"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """What one running model takes, by what it takes it for."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    overhead_bytes: int
    left_behind_bytes: int = 0
    """Weights that the engine has stored anew for the processor: their first form may leave the memory, and is not in
    the total, but stays in it as long as no other process needs the room."""
    is_exact: bool
    """Whether a header gave the shape of the model; else it is guessed from its size."""

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes + self.overhead_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuMemory:
    """One graphics processor's own memory."""

    name: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineMemory:
    """What a machine has, at one moment; None where the system does not say."""

    total_bytes: int | None
    available_bytes: int | None
    gpus: tuple[GpuMemory, ...] = ()
