"""Other rules for which residents are evicted. Everything else is gglib's scheduler, so that only the rule differs.

Each evicts in the order of its value until the launch fits, and spares those that later ones make unnecessary. They
model kinds of behaviour and were written for this comparison: they are not any project's code, and make no claim about
a particular release.
"""

from collections.abc import Iterable, Mapping
from zlib import crc32

from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.placement import Candidate, Placement, choose_greedily
from gglib.runtime.scheduler.state import Resident


class InOrder:
    """Evicts in the order of the values."""

    def choose(
        self, candidates: Iterable[Candidate], shortage: Mapping[str, int]
    ) -> tuple[Candidate, ...] | None:
        """Return the first candidates that are enough."""
        return choose_greedily(candidates, shortage)


class LeastRecentlyUsed(InOrder):
    """The resident whose last request ended first. With equal keep-alive times, it is the one that expires first."""

    def value(self, resident: Resident, *, placement: Placement, keep_warm: KeepWarm, now: float) -> float:
        """Return its last use."""
        del placement, keep_warm, now
        return resident.last_used


class ShortestKeepAlive(InOrder):
    """The resident with the shortest keep-alive, as in Ollama. By default all are equal: their names decide."""

    def value(self, resident: Resident, *, placement: Placement, keep_warm: KeepWarm, now: float) -> float:
        """Return a number that is fixed for each name. The clients of the traces set no keep-alive."""
        del placement, keep_warm, now
        return float(crc32(resident.spec.model_name.encode()))


class IdleForLoad(InOrder):
    """The resident with the largest idle / (load time x weight), as in Lemonade; all weights are equal."""

    def value(self, resident: Resident, *, placement: Placement, keep_warm: KeepWarm, now: float) -> float:
        """Return the negative of this fraction."""
        del placement
        load_s = max(keep_warm.swap_s(resident.spec.model_id), 1e-3)
        return -(now - resident.last_used) / load_s


class CostForSize(InOrder):
    """The resident with the least cost / size: GreedyDual-Size (Cao and Irani 1997), without the growing constant L.

    A resident's size is its largest share of the budget of a device.
    """

    def value(self, resident: Resident, *, placement: Placement, keep_warm: KeepWarm, now: float) -> float:
        """Return the cost of a swap back for its share of the budget."""
        del now
        budget = placement.memory_budget
        share = max(resident.size.get(device, 0) / limit for device, limit in budget.items())
        return keep_warm.swap_s(resident.spec.model_id) / share
