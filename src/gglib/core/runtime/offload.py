"""Which part of a model an engine places on GPUs, as its launch options say. Values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Offload:
    """The placement of a launch. The default is the engine's: as many layers as fit, on all GPUs."""

    gpus: tuple[int, ...] | None = None
    """The usable GPUs by number; None: all; empty: none."""
    gpu_layers: int | None = None
    """How many layers are placed on GPUs, whether they fit or not; None: as many as fit."""
    shares: tuple[float, ...] = ()
    """The share of each of the usable GPUs, in any unit; empty: in proportion to their memory."""
    cpu_expert_layers: int = 0
    """In how many layers the experts stay in RAM."""
