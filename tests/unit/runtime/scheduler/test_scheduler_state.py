"""Questions about the state: which waiters are next, and what their launches take."""

from pathlib import Path

from gglib.core.models import ModelLaunchSpec
from gglib.core.priority import Priority
from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.placement import Placement
from gglib.runtime.scheduler.scheduler_state import SchedulerState
from gglib.runtime.scheduler.state import Resident, ResidentState, Waiter
from gglib.runtime.scheduler.victim_rule import LeastExpectedLoss

A, B, C = (
    ModelLaunchSpec(model_id=n, model_name=name, path=Path(f"/{name}.gguf"))
    for n, name in enumerate("abc", 1)
)


def state_with(*waiters: Waiter, residents: tuple[Resident, ...] = ()) -> SchedulerState:
    """Return a state with a budget of 100 bytes."""
    return SchedulerState(
        placement=Placement(capacity=9, budget={"ram": 100}),
        swap_wait_s=15.0,
        queue_limit=9,
        keep_warm=KeepWarm(),
        victim_rule=LeastExpectedLoss(),
        residents={resident.generation: resident for resident in residents},
        waiters={waiter.ticket: waiter for waiter in waiters},
    )


def waiter(ticket: int, spec: ModelLaunchSpec, context: int = 8192, ram: int = 10) -> Waiter:
    """Return an interactive request that arrived at the second of its number."""
    return Waiter(ticket, spec, context, context, float(ticket), size={"ram": ram})


def test_the_next_waiters_are_the_first_of_each_model_that_is_not_provided() -> None:
    """A request that a loading resident serves is not among them; one for a larger context is."""
    loading = Resident(1, A, 8192, ResidentState.LOADING, 0.0, 0.0)
    waiters = [waiter(1, A), waiter(2, B), waiter(3, B), waiter(4, A, 16384)]
    state = state_with(*waiters, residents=(loading,))
    assert state.unserved(waiters) == waiters[1:]
    assert state.next_waiters(20.0) == [waiters[1], waiters[3]]


def test_a_launch_takes_as_much_as_its_largest_waiter_that_fits() -> None:
    """A context that exceeds the limits does not hold up the others."""
    state = state_with(waiter(1, A, ram=40), waiter(2, A, 16384, ram=60), waiter(3, A, 32768, ram=101))
    assert state.launch_sizes() == {1: {"ram": 60}}


def test_a_launch_takes_no_more_for_a_pending_load() -> None:
    """No request waits for it. Without waiters that fit, the load has its own size."""
    state = state_with(waiter(1, A, ram=40))
    for number, (spec, ram) in enumerate(((A, 60), (B, 50), (C, 101)), 2):
        state.pending_loads.add(waiter(number, spec, 16384, ram), 3.0)
    assert state.launch_sizes() == {1: {"ram": 40}, 2: {"ram": 50}}
    assert state.pending_sizes() == {1: {"ram": 60}, 2: {"ram": 50}}


def test_pinned_sizes_are_those_of_other_models() -> None:
    """A launch replaces the one of its own model."""
    residents = tuple(
        Resident(n, spec, 8192, ResidentState.READY, 0.0, 0.0, size={"ram": 10 * n})
        for n, spec in enumerate((A, B), 1)
    )
    state = state_with(residents=residents)
    state.pinned = frozenset((1, 2))
    assert state.pinned_sizes(1) == [{"ram": 20}]


def test_a_batch_request_needs_a_slot() -> None:
    """An interactive one does not."""
    ready = Resident(1, A, 8192, ResidentState.READY, 0.0, 0.0, slots=1, holders={7}, batch_holders={7})
    state = state_with(residents=(ready,))
    assert state.is_ready_for(waiter(1, A), 1.0)
    batch = Waiter(2, A, 8192, 8192, 1.0, Priority.BATCH)
    assert not state.is_ready_for(batch, 1.0)
