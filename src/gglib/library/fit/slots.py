"""Chooses the number of slots (concurrent requests) of a launch. Pure; sizes in bytes, contexts in tokens.

Each slot has its own cache for the whole context, allocated at the start, so concurrent requests never compete for it.
Slots therefore cost memory, and a launch gets fewer of them if memory is short.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.core.models import GgufFacts
from gglib.core.runtime.slots import clamp_slots
from gglib.library.fit.estimate import estimate, judge_fit


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFit:
    """The number of slots for the free memory, and the fit with them."""

    slots: int
    wanted: int
    """The number of slots with enough memory."""
    need: MemoryNeed
    fit: Fit

    @property
    def is_short(self) -> bool:
        """Whether it gets fewer slots than wanted."""
        return self.slots < self.wanted

    @property
    def requests(self) -> str:
        """The number of concurrent requests, in words."""
        return "1 request" if self.slots == 1 else f"{self.slots} requests"


def fit_slots(need_of: Callable[[int], MemoryNeed], memory: MachineMemory, *, wanted: int) -> SlotFit:
    """Return the largest number of slots up to ``wanted`` with which a model fits, at least one.

    ``need_of`` returns the need for a number of slots, and increases with it. A model that is tight or too large gets
    one slot: a slow model is better than none.
    """
    wanted = max(1, wanted)
    slots = most_slots(lambda count: judge_fit(need_of(count), memory) is Fit.FITS, wanted)
    need = need_of(slots)
    return SlotFit(slots=slots, wanted=wanted, need=need, fit=judge_fit(need, memory))


def most_slots(fits: Callable[[int], bool], wanted: int) -> int:
    """Return the largest number of slots up to ``wanted`` that ``fits``, at least 1; fewer fit if a number fits."""
    return 1 + bisect_left(range(2, wanted + 1), True, key=lambda count: not fits(count))


def model_fit(  # noqa: PLR0913 - what a fit depends on
    facts: GgufFacts | None,
    *,
    weights_bytes: int,
    context: int,
    slots: int,
    memory: MachineMemory,
    parameter_count: int | None = None,
) -> SlotFit:
    """Return the slots and the fit of a model for ``slots`` requests of ``context`` tokens; see ``fit.estimate``."""
    return fit_slots(
        lambda count: estimate(
            facts, weights_bytes=weights_bytes, context=context, slots=count, parameter_count=parameter_count
        ),
        memory,
        wanted=clamp_slots(slots, context),
    )
