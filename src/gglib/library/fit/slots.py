"""How many requests one launch of a model answers at a time. Pure; sizes in bytes, contexts in tokens.

Each slot of an engine has a cache of its own that holds the whole context, resident from the start: a request that
fits alone fits whatever runs beside it. So slots cost memory, and there are fewer of them where memory is short.
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
    """How a model is launched in the memory that is free, and how well it fits then."""

    slots: int
    wanted: int
    """How many slots it has where memory is not short."""
    need: MemoryNeed
    fit: Fit

    @property
    def is_short(self) -> bool:
        """Whether it answers fewer requests at a time than are wanted."""
        return self.slots < self.wanted

    @property
    def requests(self) -> str:
        """How many requests it answers at a time, in words."""
        return "1 request" if self.slots == 1 else f"{self.slots} requests"


def fit_slots(need_of: Callable[[int], MemoryNeed], memory: MachineMemory, *, wanted: int) -> SlotFit:
    """Return the largest number of slots, at most ``wanted``, with which a model fits; never fewer than one.

    ``need_of`` returns the need with so many slots, which grows with them. A model that is tight, or too large, is
    launched with one slot: it is better slow than not there.
    """
    wanted = max(1, wanted)
    more = range(2, wanted + 1)
    slots = 1 + bisect_left(more, True, key=lambda count: judge_fit(need_of(count), memory) is not Fit.FITS)
    need = need_of(slots)
    return SlotFit(slots=slots, wanted=wanted, need=need, fit=judge_fit(need, memory))


def model_fit(  # noqa: PLR0913 - what a fit depends on
    facts: GgufFacts | None,
    *,
    weights_bytes: int,
    context: int,
    slots: int,
    memory: MachineMemory,
    parameter_count: int | None = None,
) -> SlotFit:
    """Return how a model is launched that wants ``slots`` requests of ``context`` tokens; see ``fit.estimate``."""
    return fit_slots(
        lambda count: estimate(
            facts, weights_bytes=weights_bytes, context=context, slots=count, parameter_count=parameter_count
        ),
        memory,
        wanted=clamp_slots(slots, context),
    )
