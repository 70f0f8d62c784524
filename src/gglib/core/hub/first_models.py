"""The first models that a user without a model is offered. Values only."""

from dataclasses import dataclass
from datetime import date

from gglib.core.memory import Fit, MachineMemory, MemoryNeed


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedModel:
    """A known model of the hub, and how it fits this machine."""

    title: str
    target: str
    """The target of ``gglib pull``."""
    size_bytes: int
    licence: str
    """As the hub writes it: ``apache-2.0``."""
    machine_gb: int
    """The memory of a machine that it is meant for, in GB."""
    need: MemoryNeed
    """Memory need with ``slots`` slots."""
    fit: Fit
    slots: int
    """How many requests it would serve concurrently in the free memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstModelList:
    """The first models for this machine, smallest first, without those that the hub has no more."""

    as_of: date
    """When the list was checked."""
    memory: MachineMemory
    """The memory that the fits were judged against."""
    models: tuple[OfferedModel, ...]
    recommended: str | None
    """The target of the recommended one; None: none fits, or the hub cannot be reached."""
    is_hub_reachable: bool
