"""Loads that ran out of memory: each is repeated once, after the idle residents on its devices have stopped. Pure."""

from collections.abc import Collection, Iterable

from gglib.core.memory import DeviceBytes, after_out_of_memory
from gglib.runtime.scheduler.state import Resident


class RepeatedLoads:
    """The loads that are repeated, by model."""

    def __init__(self) -> None:
        self._sizes: dict[int, DeviceBytes] = {}

    def __contains__(self, model_id: int) -> bool:
        """Whether a load of this model is being repeated."""
        return model_id in self._sizes

    def size_of(self, model_id: int) -> DeviceBytes:
        """Return the size of the second attempt; empty without one."""
        return self._sizes.get(model_id, {})

    def add(self, failed: Resident, limits: DeviceBytes) -> None:
        """Record a load to repeat, with the size of ``after_out_of_memory``."""
        self._sizes[failed.spec.model_id] = after_out_of_memory(failed.size, limits)

    def keep(self, model_ids: Collection[int]) -> None:
        """Forget the loads of all models except these, which are requested."""
        if self._sizes:
            self._sizes = {model_id: size for model_id, size in self._sizes.items() if model_id in model_ids}

    def discard(self, model_id: int) -> None:
        """Forget a load that succeeded, or failed for good."""
        self._sizes.pop(model_id, None)


def idle_beside(failed: Resident, residents: Iterable[Resident], pinned: Collection[int]) -> list[Resident]:
    """Return the idle residents on the devices of a failed load, or all if these are unknown; without pinned ones."""
    devices = {device for device, taken in failed.size.items() if taken}
    return [
        r
        for r in residents
        if r.is_idle
        and r.spec.model_id not in pinned
        and (not devices or not r.size or any(r.size.get(device) for device in devices))
    ]
