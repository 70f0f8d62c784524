"""Which launches and evictions are planned for waiting requests, in one state at one time."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.models import ModelLaunchSpec
from gglib.core.priority import Priority
from gglib.runtime.scheduler.events import Eviction, StopReason
from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.placement import Placement
from gglib.runtime.scheduler.planning import UNUSED_GRACE_S, Plan, Planner, grace_until, waiting_order
from gglib.runtime.scheduler.repeated_loads import RepeatedLoads
from gglib.runtime.scheduler.state import PendingLoad, Resident, ResidentState, Waiter

LOADING, READY = ResidentState.LOADING, ResidentState.READY
DRAINING, STOPPING = ResidentState.DRAINING, ResidentState.STOPPING
SWAP_WAIT_S = 15.0
NOW = 100.0


def spec_of(model_id: int) -> ModelLaunchSpec:
    """Return the launch spec of a model."""
    return ModelLaunchSpec(model_id=model_id, model_name=f"m{model_id}", path=Path(f"/{model_id}.gguf"))


def resident(
    model_id: int,
    ram: int = 0,
    *,
    state: ResidentState = READY,
    holders: tuple[int, ...] = (),
    batch_holders: tuple[int, ...] = (),
    last_used: float = 50.0,
) -> Resident:
    """Return a resident in this state since 10 s, used after that; its generation is ten times the model's id."""
    return Resident(
        generation=10 * model_id,
        spec=spec_of(model_id),
        context=8192,
        state=state,
        since=10.0,
        last_used=last_used,
        launched_at=5.0,
        holders={*holders, *batch_holders},
        batch_holders=set(batch_holders),
        size={"ram": ram},
    )


def evicted(resident: Resident, reason: StopReason) -> Resident:
    """Return the resident with this reason for its stop or drain."""
    resident.eviction = Eviction(reason, NOW)
    return resident


def waiter(
    model_id: int,
    ram: int = 0,
    *,
    waited_s: float = 1.0,
    priority: Priority = Priority.INTERACTIVE,
    ticket: int | None = None,
    context: int = 8192,
) -> Waiter:
    """Return a waiting request; its ticket is the model's id."""
    number = model_id if ticket is None else ticket
    return Waiter(number, spec_of(model_id), context, context, NOW - waited_s, priority, {"ram": ram})


def pending_load(model_id: int, ram: int = 0, *, waited_s: float = 1.0) -> PendingLoad:
    """Return a load without waiters."""
    return PendingLoad(
        model_id, spec_of(model_id), 8192, 8192, NOW - waited_s, size={"ram": ram}, expires_at=NOW + 60
    )


def planner(
    *residents: Resident,
    waiters: tuple[Waiter, ...] = (),
    ram: int | None = 100,
    capacity: int = 9,
    free: int | None = None,
    keep_warm: KeepWarm | None = None,
    pinned: tuple[int, ...] = (),
    repeated_loads: RepeatedLoads | None = None,
) -> Planner:
    """Return a planner at 100 s with a budget of 100 bytes of RAM; ``free``: what other programs leave."""
    placement = Placement(capacity=capacity, budget=None if ram is None else {"ram": ram})
    if free is not None:
        placement.set_limits({"ram": free})
    return Planner(
        residents=residents,
        waiters=waiters,
        sizes={w.spec.model_id: w.size for w in waiters},
        placement=placement,
        keep_warm=KeepWarm() if keep_warm is None else keep_warm,
        pinned=frozenset(pinned),
        repeated_loads=RepeatedLoads() if repeated_loads is None else repeated_loads,
        swap_wait_s=SWAP_WAIT_S,
        now=NOW,
    )


def planned(planner: Planner) -> tuple[list[int], list[tuple[int, int, str]]]:
    """Return the launched models, and each eviction: the evicted model, the waiter's model and the reason."""
    plan = planner.plan(planner.waiters)
    evictions = [(e.resident.spec.model_id, e.waiter.spec.model_id, e.reason.value) for e in plan.evictions]
    return [w.spec.model_id for w in plan.launches], evictions


# --- the order of service ---


def test_the_oldest_waiter_is_first() -> None:
    """Requests of equal priority keep their order."""
    waiters = [waiter(1, waited_s=5), waiter(2, waited_s=3)]
    assert waiting_order(iter(waiters), NOW, SWAP_WAIT_S) == waiters


def test_interactive_waiters_come_before_batch_waiters() -> None:
    """The older of two batch waiters, or of two interactive ones, is first; at the same time, the lower ticket."""
    batch = [waiter(1, waited_s=9, priority=Priority.BATCH), waiter(2, waited_s=8, priority=Priority.BATCH)]
    interactive = [waiter(3, waited_s=2), waiter(4, waited_s=1), waiter(5, waited_s=1)]
    ordered = waiting_order([*batch, *interactive], NOW, SWAP_WAIT_S)
    assert [w.ticket for w in ordered] == [3, 4, 5, 1, 2]
    assert waiting_order(reversed(batch), NOW, SWAP_WAIT_S) == batch


@pytest.mark.parametrize(("waited_s", "first"), [(14.9, 2), (15.0, 1)])
def test_an_overdue_batch_waiter_ranks_with_the_interactive_ones(waited_s: float, first: int) -> None:
    """From ``swap_wait_s`` on, its age counts."""
    waiters = [waiter(1, waited_s=waited_s, priority=Priority.BATCH), waiter(2)]
    assert waiting_order(waiters, NOW, SWAP_WAIT_S)[0].ticket == first


# --- launches and room ---


def test_a_model_that_fits_is_launched() -> None:
    """Beside what is there, without an eviction; exactly the budget fits."""
    assert planned(planner(resident(1, 60), waiters=(waiter(2, 40),))) == ([2], [])


def test_launches_of_one_plan_share_the_room() -> None:
    """What the first one takes, the second one does not get."""
    assert planned(planner(waiters=(waiter(1, 60), waiter(2, 50), waiter(3, 40)))) == ([1, 3], [])


def test_the_number_of_models_is_a_limit_beside_the_memory() -> None:
    """Without a free slot the least recently used one goes, although the memory would do."""
    assert planned(planner(resident(1, 1), waiters=(waiter(2, 1),), capacity=1)) == ([], [(1, 2, "idle")])


def test_a_launch_waits_for_residents_that_are_stopping() -> None:
    """What they give back is enough, so nothing else is evicted."""
    stopping = resident(1, 60, state=STOPPING)
    assert planned(planner(stopping, resident(2, 40), waiters=(waiter(3, 50),))) == ([], [])


def test_what_stops_give_back_is_promised_once() -> None:
    """A second waiter does not count on the same memory."""
    stopping = resident(1, 60, state=STOPPING)
    both = planner(stopping, resident(2, 40), waiters=(waiter(3, 50), waiter(4, 50)))
    assert planned(both) == ([], [(2, 4, "idle")])


def test_a_model_is_not_launched_twice() -> None:
    """While its former launch is stopping, a waiter waits, although the room would do."""
    assert planned(planner(resident(1, 10, state=STOPPING), waiters=(waiter(1, 10),))) == ([], [])


def test_a_second_attempt_after_out_of_memory_waits_for_the_stops() -> None:
    """The estimate says that it fits now, but the first attempt showed that it does not."""
    stopping, repeated = resident(1, 10, state=STOPPING), RepeatedLoads()
    repeated.add(resident(2, 10), {"ram": 100})
    assert planned(planner(stopping, waiters=(waiter(2, 10),), repeated_loads=repeated)) == ([2], [])
    stopping.evicted_for = 2
    assert planned(planner(stopping, waiters=(waiter(2, 10),), repeated_loads=repeated)) == ([], [])
    stopping.evicted_for = None
    repeated.add(resident(2, 10), {"ram": 100}, [stopping])
    assert planned(planner(stopping, waiters=(waiter(2, 10),), repeated_loads=repeated)) == ([], [])
    assert planned(planner(stopping, waiters=(waiter(2, 10),))) == ([2], [])


@pytest.mark.parametrize(
    ("second_ram", "sizes"),
    [(0, {1: {"ram": 70}, 2: {"ram": 0}}), (40, {1: {"ram": 60}, 2: {"ram": 40}}), (41, {1: {"ram": 70}})],
)
def test_a_launch_serves_a_pending_load_if_all_launches_leave_room(
    second_ram: int, sizes: dict[int, dict[str, int]]
) -> None:
    """What later launches of the plan take is not free; what a waiter does not get yet is."""
    both = (waiter(1, 60), waiter(2, second_ram))
    with_pending = replace(planner(waiters=both), pending_sizes={1: {"ram": 70}, 3: {"ram": 5}})
    assert with_pending.plan(both).sizes == sizes


def test_an_empty_plan_has_no_evictions() -> None:
    """Neither launches nor evictions without waiters."""
    plan = planner(resident(1, 60)).plan([])
    assert (plan, plan.evicted) == (Plan(), set())


# --- sets of victims ---


def test_as_many_idle_residents_go_as_are_needed() -> None:
    """Those with the shortest loads, as all were used at the same time."""
    keep_warm = KeepWarm()
    for model_id, load_s in ((1, 1.0), (2, 4.0), (3, 2.0)):
        keep_warm.record_load(model_id, load_s)
    residents = [resident(1, 30), resident(2, 30), resident(3, 30)]
    for ram, evictions in ((40, [(1, 9, "idle")]), (50, [(1, 9, "idle"), (3, 9, "idle")])):
        assert planned(planner(*residents, waiters=(waiter(9, ram),), keep_warm=keep_warm)) == ([], evictions)


def test_the_value_of_a_resident() -> None:
    """Its load, the last stop and the prompts in its cache, for the 50 s since its last use."""
    keep_warm = KeepWarm()
    keep_warm.record_load(1, 4.0)
    keep_warm.record_stop(0.5)
    one = replace(resident(1, 25), prompt_s=1.5)
    assert planner(one, keep_warm=keep_warm).value(one) == (4.0 + 0.5 + 1.5) / 50


def test_the_value_of_a_resident_with_rare_requests() -> None:
    """Its clients usually return after 80 s, so the next request is not expected earlier."""
    keep_warm = KeepWarm()
    keep_warm.record_load(1, 4.0)
    keep_warm.record_idle(1, 0.0)
    keep_warm.record_request(1, 80.0)
    assert planner(resident(1, 25), keep_warm=keep_warm).value(resident(1, 25)) == 4.0 / 80


def test_if_only_models_are_counted_the_least_recently_used_one_goes() -> None:
    """Its value is its last use."""
    one, two = resident(1, last_used=60.0), resident(2, last_used=55.0)
    both = planner(one, two, waiters=(waiter(3),), ram=None, capacity=2)
    assert both.value(one) == 60.0
    assert planned(both) == ([], [(2, 3, "idle")])


def test_an_evicted_resident_is_no_victim_of_the_next_waiter() -> None:
    """The second waiter needs another one."""
    residents = (resident(1, 50), resident(2, 50))
    both = planner(*residents, waiters=(waiter(3, 50), waiter(4, 50)))
    assert planned(both) == ([], [(1, 3, "idle"), (2, 4, "idle")])


def test_what_an_eviction_gives_back_beyond_the_need_serves_the_next_waiter() -> None:
    """Two small models fit into the room of a large one."""
    both = planner(resident(1, 90), resident(2, 10), waiters=(waiter(3, 40), waiter(4, 40)))
    assert planned(both) == ([], [(1, 3, "idle")])


def test_nothing_is_evicted_if_all_victims_together_are_not_enough() -> None:
    """A busy resident keeps too much; the idle one stays."""
    busy = resident(1, 60, holders=(7,))
    assert planned(planner(busy, resident(2, 40), waiters=(waiter(3, 50),))) == ([], [])


def test_nothing_is_evicted_for_what_cannot_fit() -> None:
    """Neither beyond the budget, nor beside the pinned residents, nor beside other programs."""
    residents = (resident(1, 60), resident(2, 40))
    assert planned(planner(*residents, waiters=(waiter(3, 101),))) == ([], [])
    assert planned(planner(*residents, waiters=(waiter(3, 50),), pinned=(1,))) == ([], [])
    assert planned(planner(*residents, waiters=(waiter(3, 50),), free=49)) == ([], [])
    assert planned(planner(*residents, waiters=(waiter(3, 50),), free=50)) == (
        [],
        [(1, 3, "idle"), (2, 3, "idle")],
    )


def test_a_pinned_resident_stays() -> None:
    """Also against an overdue waiter."""
    residents = (resident(1, 60), resident(2, 40))
    waiting = waiter(3, 40, waited_s=99)
    assert planned(planner(*residents, waiters=(waiting,), pinned=(1,))) == ([], [(2, 3, "idle")])


def test_sizes_that_stay_for_a_waiter() -> None:
    """Pinned residents except the waiter's own model, and those that will stop."""
    residents = [resident(1, 10), resident(2, 20), resident(3, 30), resident(4, 40, state=STOPPING)]
    sizes = planner(*residents, pinned=(1, 2, 4)).pinned_sizes(waiter(2))
    assert sizes == [{"ram": 10}]


@pytest.mark.parametrize(("waited_s", "launched"), [(14.9, [2]), (15.0, [])])
def test_no_younger_waiter_takes_the_room_of_an_overdue_one(waited_s: float, launched: list[int]) -> None:
    """The room is kept for a waiter that no set of victims helps yet: the loading one is no victim."""
    loading = resident(5, 60, state=LOADING)
    waiting = (waiter(1, 50, waited_s=waited_s), waiter(2, 20), waiter(5, 60))
    state = planner(loading, waiters=waiting)
    assert [w.spec.model_id for w in state.plan(waiting[:2]).launches] == launched


def test_a_waiter_beside_other_programs_keeps_no_room() -> None:
    """Nothing that the residents do would help it, so others are launched."""
    waiting = (waiter(1, 60, waited_s=99), waiter(2, 20))
    assert planned(planner(waiters=waiting, free=50)) == ([2], [])


# --- idle residents ---


def kept_warm(model_id: int) -> KeepWarm:
    """Return records by which a model is kept from 99 s to 103 s, because its clients return soon."""
    keep_warm = KeepWarm()
    keep_warm.record_load(model_id, 4.0)
    for idle_at in (10.0, 20.0):
        keep_warm.record_idle(model_id, idle_at)
        keep_warm.record_request(model_id, idle_at + 1.0)
    keep_warm.record_idle(model_id, 99.0)
    return keep_warm


@pytest.mark.parametrize(("waited_s", "evictions"), [(14.9, []), (15.0, [(1, 2, "idle")])])
def test_a_warm_resident_goes_only_for_an_overdue_waiter(
    waited_s: float, evictions: list[tuple[int, int, str]]
) -> None:
    """Its clients are likely to return."""
    waiting = waiter(2, 50, waited_s=waited_s)
    assert planned(planner(resident(1, 90), waiters=(waiting,), keep_warm=kept_warm(1))) == ([], evictions)


def test_a_warm_resident_is_kept_until_a_moment() -> None:
    """At that moment it is evicted."""
    state = planner(resident(1, 90), waiters=(waiter(2, 50),), keep_warm=kept_warm(1))
    assert planned(replace(state, now=102.9))[1] == []
    assert planned(replace(state, now=103.0))[1] == [(1, 2, "idle")]


def test_cold_residents_go_before_warm_ones() -> None:
    """For an overdue waiter, too, however valuable the cold one is."""
    keep_warm = kept_warm(1)
    keep_warm.record_load(2, 400.0)
    residents = (resident(1, 50), resident(2, 50))
    waiting = waiter(3, 50, waited_s=20)
    assert planned(planner(*residents, waiters=(waiting,), keep_warm=keep_warm)) == ([], [(2, 3, "idle")])


@pytest.mark.parametrize(("ready_s", "is_evicted"), [(UNUSED_GRACE_S - 0.1, False), (UNUSED_GRACE_S, True)])
def test_an_unused_resident_is_safe_from_pending_loads(ready_s: float, *, is_evicted: bool) -> None:
    """For a few seconds; a waiter evicts it at once."""
    unused = replace(resident(1, 90), since=NOW - ready_s, last_used=NOW - ready_s)
    assert grace_until(unused) == NOW - ready_s + UNUSED_GRACE_S
    evictions = [(1, 2, "idle")]
    assert planned(planner(unused, waiters=(pending_load(2, 50),)))[1] == (evictions if is_evicted else [])
    assert planned(planner(unused, waiters=(waiter(2, 50),)))[1] == evictions


def test_a_used_resident_has_no_grace_period() -> None:
    """It goes for a pending load, too."""
    assert grace_until(resident(1)) == float("-inf")
    assert planned(planner(resident(1, 90), waiters=(pending_load(2, 50),)))[1] == [(1, 2, "idle")]


def test_a_pending_load_is_never_overdue() -> None:
    """A warm resident and a busy one stay."""
    waiting = (pending_load(2, 50, waited_s=50),)
    assert planned(planner(resident(1, 90), waiters=waiting, keep_warm=kept_warm(1))) == ([], [])
    assert planned(planner(resident(1, 90, holders=(7,)), waiters=waiting)) == ([], [])
    assert not planner().is_overdue(waiting[0])


# --- busy, draining and loading residents ---


@pytest.mark.parametrize(("waited_s", "evictions"), [(14.9, []), (15.0, [(1, 2, "overdue")])])
def test_a_busy_resident_drains_for_an_overdue_waiter(
    waited_s: float, evictions: list[tuple[int, int, str]]
) -> None:
    """Until then its requests pass."""
    busy = resident(1, 90, holders=(7,))
    assert planned(planner(busy, waiters=(waiter(2, 50, waited_s=waited_s),))) == ([], evictions)


def test_idle_residents_go_before_busy_ones() -> None:
    """A busy one drains only if the idle ones are not enough; the idle ones that it makes unnecessary stay."""
    residents = (resident(1, 50, holders=(7,)), resident(2, 40))
    small, large = waiter(3, 30, waited_s=20), waiter(3, 100, waited_s=20)
    assert planned(planner(*residents, waiters=(small,))) == ([], [(2, 3, "idle")])
    assert planned(planner(*residents, waiters=(large,))) == ([], [(2, 3, "idle"), (1, 3, "overdue")])
    assert planned(planner(*residents, waiters=(waiter(3, 60, waited_s=20),))) == ([], [(1, 3, "overdue")])


def test_a_draining_resident_goes_before_a_busy_one() -> None:
    """It takes no requests any more; another drain would interrupt a second model."""
    draining = evicted(resident(2, 50, state=DRAINING, holders=(8,)), StopReason.OVERDUE)
    residents = (resident(1, 50, holders=(7,)), draining)
    assert planned(planner(*residents, waiters=(waiter(3, 50, waited_s=20),))) == ([], [(2, 3, "overdue")])


def test_a_drain_is_not_confirmed_for_a_waiter_that_is_not_overdue() -> None:
    """The resident is left to the scheduler, which lets it take requests again."""
    draining = evicted(resident(1, 90, state=DRAINING, holders=(8,)), StopReason.OVERDUE)
    assert planned(planner(draining, waiters=(waiter(2, 50),))) == ([], [])


def test_a_final_drain_makes_room_for_any_waiter() -> None:
    """A resident that stops anyway is assigned to the waiter, so that nothing else is evicted for it."""
    draining = evicted(resident(1, 50, state=DRAINING, holders=(8,)), StopReason.CHANGED)
    residents = (draining, resident(2, 50))
    assert planned(planner(*residents, waiters=(waiter(3, 60),)))[1] == [(2, 3, "idle"), (1, 3, "priority")]


def test_an_interactive_waiter_drains_a_resident_that_only_batch_requests_use() -> None:
    """At once, but not if an interactive request uses it as well."""
    batch = resident(1, 90, batch_holders=(7, 8))
    mixed = resident(1, 90, batch_holders=(7,), holders=(8,))
    waiting = (waiter(2, 50),)
    assert planned(planner(batch, waiters=waiting)) == ([], [(1, 2, "priority")])
    assert planned(planner(mixed, waiters=waiting)) == ([], [])


def test_a_batch_waiter_or_a_pending_load_drains_nothing_before_it_is_overdue() -> None:
    """Batch requests of two models do not interrupt each other."""
    batch = resident(1, 90, batch_holders=(7,))
    assert planned(planner(batch, waiters=(waiter(2, 50, priority=Priority.BATCH),))) == ([], [])
    assert planned(planner(batch, waiters=(pending_load(2, 50),))) == ([], [])


@pytest.mark.parametrize(("own_waited_s", "is_drained"), [(0.5, True), (2.0, False)])
def test_a_resident_is_not_drained_while_an_earlier_waiter_needs_it(
    own_waited_s: float, *, is_drained: bool
) -> None:
    """Its own interactive waiter, which waits for a batch request's slot, came first."""
    batch = resident(1, 90, batch_holders=(7,))
    first = waiter(2, 50, waited_s=1.0)
    own = waiter(1, 90, waited_s=own_waited_s, ticket=30)
    state = planner(batch, waiters=(first, own))
    assert [e.resident.spec.model_id for e in state.plan([first]).evictions] == ([1] if is_drained else [])


def test_an_abandoned_load_is_evicted_first() -> None:
    """A load without waiters goes before the idle resident, but a load with a waiter stays."""
    residents = (resident(1, 50), resident(2, 50, state=LOADING))
    assert planned(planner(*residents, waiters=(waiter(3, 50),))) == ([], [(2, 3, "unwanted")])
    first = waiter(3, 50)
    wanted = planner(*residents, waiters=(first, waiter(2, 50)))
    assert not wanted.is_abandoned_load(residents[1])
    assert [e.resident.spec.model_id for e in wanted.plan([first]).evictions] == [1]


@pytest.mark.parametrize(("waited_s", "is_evicted"), [(14.9, False), (15.0, True)])
def test_a_protected_load_goes_only_for_an_overdue_waiter(waited_s: float, *, is_evicted: bool) -> None:
    """It replaced an abandoned load itself."""
    protected = replace(resident(1, 90, state=LOADING), is_protected=True)
    evictions = planned(planner(protected, waiters=(waiter(2, 50, waited_s=waited_s),)))[1]
    assert evictions == ([(1, 2, "unwanted")] if is_evicted else [])


def test_a_pending_load_evicts_no_load() -> None:
    """An abandoned load may be the pending load of another client."""
    loading = resident(1, 90, state=LOADING)
    assert planned(planner(loading, waiters=(pending_load(2, 50),))) == ([], [])


def test_a_stopping_resident_is_no_victim() -> None:
    """What it gives back counts, but it is not evicted again, and the shortage that remains needs others."""
    residents = (resident(1, 40, state=STOPPING), resident(2, 60))
    assert planned(planner(*residents, waiters=(waiter(3, 50),))) == ([], [(2, 3, "idle")])


# --- another launch of the same model ---


def test_a_launch_with_a_small_context_is_replaced() -> None:
    """An idle one at once, also if it is kept warm: its clients have no use for it."""
    waiting = waiter(1, 10, context=16384)
    small = planner(resident(1, 10), waiters=(waiting,), keep_warm=kept_warm(1))
    assert planned(small) == ([], [(1, 1, "too small")])


def test_a_launch_of_an_older_version_is_replaced() -> None:
    """The reason says so."""
    newer = waiter(1, 10)
    newer = replace(newer, spec=replace(newer.spec, path=Path("/new/1.gguf")))
    assert planned(planner(resident(1, 10), waiters=(newer,))) == ([], [(1, 1, "updated")])


def test_a_busy_launch_is_replaced_for_an_overdue_waiter_only() -> None:
    """Until then its requests pass; a final drain is left alone."""
    early, late = waiter(1, 10, context=16384), waiter(1, 10, context=16384, waited_s=20)
    busy = resident(1, 10, holders=(7,))
    assert planned(planner(busy, waiters=(early,))) == ([], [])
    assert planned(planner(busy, waiters=(late,))) == ([], [(1, 1, "too small")])
    final = evicted(resident(1, 10, state=DRAINING, holders=(7,)), StopReason.CHANGED)
    assert planned(planner(final, waiters=(late,))) == ([], [])


def test_a_draining_launch_that_serves_the_waiter_is_left_alone() -> None:
    """It takes requests again, or exits: neither a launch nor an eviction is planned."""
    draining = evicted(resident(1, 10, state=DRAINING, holders=(7,)), StopReason.OVERDUE)
    assert planned(planner(draining, waiters=(waiter(1, 10, waited_s=20),))) == ([], [])
