"""When the scheduler decides again although nothing happens."""

from tests.unit.runtime.scheduler.memory_playbook import (
    BATCH,
    A,
    B,
    refusals,
    request_for,
    scheduler_with,
    stopped,
    without_wakeups,
)

from gglib.core.errors import (
    InsufficientMemoryError,
)
from gglib.runtime.scheduler.batch_limits import INTERACTIVE_WINDOW_S
from gglib.runtime.scheduler.events import (
    Grant,
    LimitsChanged,
    Tick,
    WakeAt,
)
from gglib.runtime.scheduler.planning import MEMORY_WAIT_S


def test_memory_of_other_programs_is_awaited_and_then_refused() -> None:
    """A request waits ``MEMORY_WAIT_S`` for memory that no eviction gives back; nothing is evicted meanwhile."""
    scheduler = scheduler_with((A, 30))
    scheduler.handle(LimitsChanged({"ram": 60}), 9)
    effects = scheduler.handle(request_for(1, B, 70), 10)
    assert effects == [WakeAt(10 + MEMORY_WAIT_S)]
    effects = scheduler.handle(Tick(), 10 + MEMORY_WAIT_S)
    assert refusals(effects) == {1: InsufficientMemoryError}
    assert not stopped(effects)


def test_batch_requests_use_the_free_slot_when_the_window_ends() -> None:
    """The scheduler wakes up for it."""
    scheduler = scheduler_with((A, 50))
    for ticket in range(1, 5):
        effects = scheduler.handle(request_for(ticket, A, 50, priority=BATCH), 10)
    end = INTERACTIVE_WINDOW_S
    assert effects == [WakeAt(end)]
    assert without_wakeups(scheduler.handle(Tick(), end)) == [Grant(4, 1)]
