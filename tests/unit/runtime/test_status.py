"""The status of a runtime, from the scheduler, the launches and the past swaps."""

from gglib.core.memory import DeviceBytes
from gglib.core.runtime.status import RuntimeStatus, SwapStatus
from gglib.runtime.memory_watch import MemoryWatch
from gglib.runtime.scheduler.load_times import LoadTimes
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.swap_hint import KnownSizes, SwapHint
from gglib.runtime.scheduler.swap_history import SwapHistory
from gglib.runtime.status import StatusReader


def status_of(budget: DeviceBytes | None = None, swap_hint: SwapHint | None = None) -> RuntimeStatus:
    """Return the status of a runtime without models."""
    swap_hint = swap_hint or SwapHint(lambda *_: True)
    scheduler = Scheduler(budget=budget)
    watch = MemoryWatch(None, scheduler, {}, lambda _: None, KnownSizes(dict))
    return StatusReader(scheduler, {}, LoadTimes(), SwapHistory(), swap_hint, watch, lambda: None).status(0.0)


def test_status_has_the_memory_budget() -> None:
    """Without a limit there is none."""
    assert status_of({"ram": 20}).limits == {"ram": 20}
    assert status_of().limits == status_of().used == {}


def test_status_has_the_hint_once_there_is_a_reason() -> None:
    """Not before."""
    hint = SwapHint(lambda *_: True)
    assert status_of(swap_hint=hint).hint is None
    for now in range(3):
        hint.record(SwapStatus(from_model="a", to_model="b", why="'a' was idle"), now)
    assert status_of(swap_hint=hint).hint == hint.text is not None
