"""The rule for which residents make room for a launch. Pure.

``bench/policies/memory`` compares ``LeastExpectedLoss``, the default, with others (``bench/results/memory.md``).
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.placement import Candidate, Placement, choose_victims, expected_loss
from gglib.runtime.scheduler.state import Resident


class VictimRule(Protocol):
    """Values residents, and chooses the set of victims by these values."""

    def value(self, resident: Resident, *, placement: Placement, keep_warm: KeepWarm, now: float) -> float:
        """Return the value of keeping a resident: of equal ranks, the least valuable goes first."""
        ...

    def choose(
        self, candidates: Iterable[Candidate], shortage: Mapping[str, int]
    ) -> tuple[Candidate, ...] | None:
        """Return a minimal set that gives back at least ``shortage``; None if all candidates together do not."""
        ...


class LeastExpectedLoss:
    """The set with the least expected loss, or the least recently used resident if only models are counted."""

    def value(self, resident: Resident, *, placement: Placement, keep_warm: KeepWarm, now: float) -> float:
        """Return what an eviction is expected to lose, or the last use if only models are counted."""
        if not placement.limits_memory:
            return resident.last_used
        cost_s = keep_warm.swap_s(resident.spec.model_id) + resident.prompt_s
        typical_return_s = keep_warm.typical_return_s(resident.spec.model_id)
        return expected_loss(cost_s, idle_s=now - resident.last_used, typical_return_s=typical_return_s)

    def choose(
        self, candidates: Iterable[Candidate], shortage: Mapping[str, int]
    ) -> tuple[Candidate, ...] | None:
        """Return the cheapest set of victims (``choose_victims``)."""
        return choose_victims(candidates, shortage)
