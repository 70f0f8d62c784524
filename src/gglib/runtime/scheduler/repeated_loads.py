"""Loads that ran out of memory: each is repeated once, after what took memory beside it has stopped. Pure.

These are the idle residents on its devices, and those that had made way for it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gglib.core.memory import DeviceBytes, after_out_of_memory
from gglib.runtime.scheduler.state import Resident


@dataclass(frozen=True, slots=True)
class _RepeatedLoad:
    """A second attempt."""

    size: DeviceBytes
    awaited: frozenset[int]
    """The generations of the residents that exit before it."""


class RepeatedLoads:
    """The loads that are repeated, by model."""

    def __init__(self) -> None:
        self._loads: dict[int, _RepeatedLoad] = {}

    def __contains__(self, model_id: int) -> bool:
        """Whether a load of this model is being repeated."""
        return model_id in self._loads

    def size_of(self, model_id: int) -> DeviceBytes:
        """Return the size of the second attempt; empty without one."""
        load = self._loads.get(model_id)
        return {} if load is None else load.size

    def awaits(self, model_id: int, generation: int) -> bool:
        """Whether the second attempt begins after this resident has exited."""
        load = self._loads.get(model_id)
        return load is not None and generation in load.awaited

    def add(self, failed: Resident, limits: DeviceBytes, beside: Iterable[Resident] = ()) -> None:
        """Record a load to repeat after those ``beside`` it have exited, with the size of ``after_out_of_memory``."""
        size = after_out_of_memory(failed.size, limits)
        self._loads[failed.spec.model_id] = _RepeatedLoad(size, frozenset(r.generation for r in beside))

    def keep(self, model_ids: Collection[int]) -> None:
        """Forget the loads of all models except these, which are requested."""
        if self._loads:
            self._loads = {model_id: load for model_id, load in self._loads.items() if model_id in model_ids}

    def discard(self, model_id: int) -> None:
        """Forget a load that succeeded, or failed for good."""
        self._loads.pop(model_id, None)


def idle_beside(failed: Resident, residents: Iterable[Resident], pinned: Collection[int]) -> list[Resident]:
    """Return the idle residents on the devices of a failed load, or all if these are unknown; without pinned ones."""
    return [r for r in residents if r.is_idle and r.spec.model_id not in pinned and share_a_device(failed, r)]


def saving_beside(failed: Resident, residents: Iterable[Resident]) -> list[Resident]:
    """Return the residents that have made way on the devices of a failed load, or all if these are unknown."""
    return [r for r in residents if r.has_made_way and share_a_device(failed, r)]


def share_a_device(load: Resident, other: Resident) -> bool:
    """Whether a load takes memory of the same device as another resident, or that is unknown."""
    devices = {device for device, taken in load.size.items() if taken}
    return not devices or not other.size or any(other.size.get(device) for device in devices)
