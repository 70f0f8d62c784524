"""How long the prompts of an engine may be saved before it stops. Pure.

A swap becomes slower by the saves before it. So by default they take at most ``SHARE`` of the load that waits for them,
unless the launch makes way: where there is memory for both models, the load begins beside the saves. The local launcher
gives a model with ``keep_conversations`` its whole limit in any case.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.events import Eviction, StopReason
from gglib.runtime.scheduler.state import Resident, Waiter

SHARE = 0.05
"""Of the expected load time of what waits for the stop."""
_FOR_ANOTHER_MODEL = frozenset((StopReason.IDLE, StopReason.OVERDUE, StopReason.PRIORITY))
_WITHOUT_SAVES = frozenset(
    (
        StopReason.UNWANTED,  # it was still loading
        StopReason.SILENT,  # its engine hangs
        StopReason.REMOVED,
        StopReason.CHANGED,  # its values may be those of other weights
        StopReason.UPDATED,  # another version, or other options: no launch could use them
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveLimits:
    """Limits of the saves at one stop."""

    waiting: int = 0
    """How many requests wait for the stop."""
    delay_s: float | None = None
    """How long all saves may take; None: as long as the policy lets them."""
    may_make_way: bool = False
    """Whether another model waits, whose load may begin beside the saves if there is memory for it."""
    is_shutdown: bool = False
    """Whether gglib stops."""

    @property
    def yields(self) -> bool:
        """Whether nothing waits: a request that arrives during the saves ends them."""
        return self.delay_s is None


def save_limits(
    resident: Resident,
    eviction: Eviction | None,
    waiters: Sequence[Waiter],
    expected_s: Callable[[ModelLaunchSpec], float],
) -> SaveLimits | None:
    """Return the limits of the saves of a resident that stops; None if nothing of it may be saved.

    ``waiters`` are all waiting requests and pending loads; ``expected_s`` returns the expected duration of a load.
    Nothing is saved of a resident that is still in use, past the deadline of its drain.
    """
    if eviction is None or eviction.reason in _WITHOUT_SAVES or resident.holders:
        return None
    if eviction.reason is StopReason.SHUTDOWN:
        return SaveLimits(is_shutdown=True)
    own = [waiter for waiter in waiters if waiter.spec.model_id == resident.evicted_for]
    delayed = own or waiters
    if not delayed:
        return SaveLimits()
    delay_s = SHARE * min(expected_s(waiter.spec) for waiter in delayed)
    may_make_way = bool(own) and eviction.reason in _FOR_ANOTHER_MODEL
    return SaveLimits(waiting=len(delayed), delay_s=delay_s, may_make_way=may_make_way)
