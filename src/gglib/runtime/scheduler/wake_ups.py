"""When the scheduler has to decide again although nothing happens: it has no clock. Pure."""

from collections.abc import Iterator

from gglib.core.priority import Priority
from gglib.runtime.scheduler.events import WakeAt
from gglib.runtime.scheduler.planning import MEMORY_WAIT_S, grace_until
from gglib.runtime.scheduler.scheduler_state import SchedulerState
from gglib.runtime.scheduler.state import ResidentState

_DEADLINE_STATES = {ResidentState.LOADING, ResidentState.DRAINING}
"""The states in which a resident can be stopped by its ``stop_deadline``."""


def next_wake_up(state: SchedulerState, now: float) -> Iterator[WakeAt]:
    """Return when the scheduler has to decide again although nothing happens; nothing if never."""
    residents = state.residents.values()
    next_waiters, pending = state.next_waiters(now), state.next_pending_loads()
    times = [
        r.stop_deadline for r in residents if r.stop_deadline is not None and r.state in _DEADLINE_STATES
    ]
    times += [waiter.since + state.swap_wait_s for waiter in next_waiters]
    times += [since + MEMORY_WAIT_S for since in state.short_since.values()]
    in_batch = {w.spec.model_id for w in state.waiters.values() if w.priority is Priority.BATCH}
    times += [state.batch_limits.shared_until(r) for r in residents if r.spec.model_id in in_batch]
    if next_waiters or pending:
        times += [state.keep_warm.keep_until(r.spec.model_id) for r in residents if r.is_idle]
    if pending:
        times += [grace_until(r) for r in residents if r.is_idle]
    times += [expires_at for r in residents if (expires_at := state.expires_at(r)) is not None]
    if later := [time for time in times if time > now]:
        yield WakeAt(min(later))
