"""How much memory a model takes, and whether a machine has it. Pure; sizes in bytes, contexts in tokens."""

from dataclasses import dataclass
from enum import Enum

from gglib.core.models import GgufFacts

_F16_BYTES = 2
_OVERHEAD_BYTES = 150 * 1024**2
_COMPUTE_BYTES = 300 * 1024**2


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
    is_exact: bool
    """Whether a header told the shape of the model; else it is guessed from its size."""

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


def estimate(
    facts: GgufFacts | None, *, weights_bytes: int, context: int, parameter_count: int | None = None
) -> MemoryNeed:
    """Return what a model of ``weights_bytes`` takes when it is launched with ``context`` tokens."""
    parameters = parameter_count or (facts.parameter_count if facts else None) or weights_bytes * 8 // 5
    kv_bytes = _kv_bytes(facts, context) if facts else None
    return MemoryNeed(
        weights_bytes=weights_bytes,
        kv_bytes=context * parameters // 65_536 if kv_bytes is None else kv_bytes,
        compute_bytes=_COMPUTE_BYTES,
        overhead_bytes=_OVERHEAD_BYTES,
        is_exact=kv_bytes is not None,
    )


def judge_fit(need: MemoryNeed, memory: MachineMemory) -> Fit:
    """Return whether ``need`` goes into the memory that is free."""
    free_bytes = sum(gpu.free_bytes for gpu in memory.gpus) or memory.available_bytes
    if free_bytes is None or need.total_bytes * 1.1 <= free_bytes:
        return Fit.FITS
    if need.total_bytes <= max(free_bytes, memory.available_bytes or 0):
        return Fit.TIGHT
    return Fit.TOO_LARGE


def _kv_bytes(facts: GgufFacts, context: int) -> int | None:
    if not (facts.block_count and facts.head_count and facts.embedding_length):
        return None
    head_bytes = facts.embedding_length // facts.head_count * _F16_BYTES
    key = (facts.key_length or 0) * _F16_BYTES or head_bytes
    value = (facts.value_length or 0) * _F16_BYTES or head_bytes
    return facts.block_count * (facts.head_count_kv or facts.head_count) * (key + value) * context
