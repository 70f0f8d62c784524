"""How the models of the catalogue fit into the free memory. Values only."""

from dataclasses import dataclass

from gglib.core.memory import Fit, MachineMemory, MemoryNeed


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFit:
    """How a model fits with its own context and slots, or the defaults."""

    model_id: int
    model_name: str
    context: int
    """The context of each request, in tokens."""
    fit: Fit | None
    """None: unknown."""
    need: MemoryNeed | None
    """The memory need with ``slots`` slots; None if a file of the model is missing or hidden."""
    slots: int | None
    """How many requests it would serve concurrently; None without ``need``."""
    reason: str
    """The reason of the verdict, as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFits:
    """The fits of all models of the catalogue."""

    memory: MachineMemory
    """The memory that the fits were judged against."""
    fits: tuple[ModelFit, ...]
    """In the order in which the models were added."""
