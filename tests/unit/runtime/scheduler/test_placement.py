"""Whether a launch fits beside the residents, and which set of residents makes room for it."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.runtime.scheduler.placement import (
    EXACT_CANDIDATES,
    MODELS,
    Candidate,
    Placement,
    Room,
    choose_greedily,
    choose_victims,
    expected_loss,
    is_within,
    largest,
)

RAM, GPU = "ram", "gpu0"


def placement(*, capacity: int = 4, **budget: int) -> Placement:
    """Return a placement with this budget by device."""
    return Placement(capacity=capacity, budget=budget)


def candidate(generation: int, *, rank: int = 1, value: float = 0.0, **size: int) -> Candidate:
    """Return a resident that may be evicted."""
    return Candidate(generation, size, rank, value)


def victims_of(candidates: list[Candidate], **shortage: int) -> list[int] | None:
    """Return the generations of the chosen set."""
    chosen = choose_victims(candidates, shortage)
    return None if chosen is None else [victim.generation for victim in chosen]


# --- limits ---


def test_without_a_budget_only_models_are_counted() -> None:
    """Any size fits while there are fewer models than the capacity."""
    counting = Placement(capacity=2)
    assert not counting.limits_memory
    assert (counting.capacity, counting.memory_budget, counting.memory_limits) == (2, {}, {})
    assert counting.footprint({RAM: 5}) == {MODELS: 1}
    assert not counting.exceeds_budget({RAM: 10**15}, besides=[{RAM: 10**15}])
    assert counting.exceeds_budget({}, besides=[{}, {}])


def test_a_footprint_has_the_limited_devices() -> None:
    """A device without a limit is left out, a device without a size is 0."""
    limited = placement(capacity=3, ram=100)
    assert limited.limits_memory
    assert limited.footprint({RAM: 60, GPU: 70}) == {MODELS: 1, RAM: 60}
    assert limited.footprint({}) == {MODELS: 1, RAM: 0}


def test_the_difference_of_two_sizes_of_a_launch_has_the_limited_devices() -> None:
    """It is the same model, so the number of models does not change."""
    limited = placement(ram=100, gpu0=50)
    assert limited.difference({RAM: 60, GPU: 7, "gpu1": 9}, {RAM: 50}) == {MODELS: 0, RAM: 10, GPU: 7}


@pytest.mark.parametrize(
    ("size", "other", "expected"),
    [({}, {}, True), ({RAM: 5}, {RAM: 5}, True), ({RAM: 6}, {RAM: 5}, False), ({GPU: 1}, {RAM: 5}, False)],
)
def test_a_size_is_within_another_on_each_device(
    size: dict[str, int], other: dict[str, int], *, expected: bool
) -> None:
    """A missing device is 0."""
    assert is_within(size, other) is expected


@pytest.mark.parametrize(
    ("size", "besides", "exceeds"),
    [
        ({RAM: 100}, [], False),
        ({RAM: 101}, [], True),
        ({RAM: 1, GPU: 51}, [], True),
        ({RAM: 60}, [{RAM: 40}], False),
        ({RAM: 60}, [{RAM: 41}], True),
        ({RAM: 60}, [{RAM: 20}, {RAM: 21}], True),
        ({}, [{RAM: 100, GPU: 50}], False),
        ({RAM: 50}, [{GPU: 51}], False),
    ],
)
def test_exceeding_the_budget(size: dict[str, int], besides: list[dict[str, int]], *, exceeds: bool) -> None:
    """A launch of exactly the budget does not exceed it, on any device."""
    assert placement(ram=100, gpu0=50).exceeds_budget(size, besides=besides) is exceeds
    assert placement(ram=100, gpu0=50).exceeds_limits(size, besides=besides) is exceeds


def test_other_programs_lower_the_limits_but_not_the_budget() -> None:
    """A limit above the budget is the budget, and a missing device is not lowered."""
    limited = placement(ram=100, gpu0=50)
    limited.set_limits({RAM: 70})
    assert limited.memory_limits == {RAM: 70, GPU: 50}
    assert limited.memory_budget == {RAM: 100, GPU: 50}
    assert limited.exceeds_limits({RAM: 71})
    assert not limited.exceeds_limits({RAM: 70})
    assert not limited.exceeds_budget({RAM: 71})
    limited.set_limits({RAM: 200})
    assert limited.memory_limits == {RAM: 100, GPU: 50}


def test_a_new_budget_keeps_the_known_limits() -> None:
    """What other programs use applies to the new budget, too."""
    limited = placement(capacity=4, ram=100)
    limited.set_limits({RAM: 70, GPU: 30})
    limited.set_budget(capacity=2, budget={RAM: 60, GPU: 80})
    assert limited.capacity == 2
    assert limited.memory_budget == {RAM: 60, GPU: 80}
    assert limited.memory_limits == {RAM: 60, GPU: 30}
    limited.set_budget(capacity=1, budget=None)
    assert not limited.limits_memory


def test_excess_of_the_residents() -> None:
    """The excess has only the exceeded devices, and the number of models."""
    limited = placement(capacity=2, ram=100, gpu0=50)
    assert limited.excess([]) == {}
    assert limited.excess([{RAM: 60}, {RAM: 40}]) == {}
    assert limited.excess([{RAM: 60}, {RAM: 41}]) == {RAM: 1}
    assert limited.excess([{RAM: 60, GPU: 60}, {RAM: 60}, {}]) == {MODELS: 1, RAM: 20, GPU: 10}


# --- room ---


def test_room_is_what_the_residents_leave() -> None:
    """A resident that is stopping takes memory until it exits, and gives it back then."""
    limited = placement(capacity=3, ram=100)
    room = limited.room([limited.footprint({RAM: 30})], [limited.footprint({RAM: 50})])
    assert room.now == {MODELS: 1, RAM: 20}
    assert room.soon == {MODELS: 2, RAM: 70}


def test_a_launch_that_has_made_way_takes_its_memory_and_no_place() -> None:
    """It gives its memory back when it exits; a model is not counted twice."""
    limited = placement(capacity=1, ram=100)
    made_way = limited.footprint({RAM: 50}, models=0)
    assert made_way == {MODELS: 0, RAM: 50}
    room = limited.room([], [made_way])
    assert room.fits_now(limited.footprint({RAM: 50}))
    assert not room.fits_now(limited.footprint({RAM: 51}))
    assert room.soon == {MODELS: 1, RAM: 100}


def test_room_within_the_limits_of_other_programs() -> None:
    """Room is negative where the residents take more than other programs leave."""
    limited = placement(capacity=3, ram=100)
    limited.set_limits({RAM: 20})
    assert limited.room([limited.footprint({RAM: 30})], []).now == {MODELS: 2, RAM: -10}


def test_fitting_now_and_after_the_stops() -> None:
    """A launch of exactly the room fits; the shortage is counted after the present stops."""
    room = Room({MODELS: 1, RAM: 20}, {MODELS: 2, RAM: 70})
    assert room.fits_now({MODELS: 1, RAM: 20})
    assert not room.fits_now({MODELS: 1, RAM: 21})
    assert not room.fits_now({MODELS: 2})
    assert room.shortage({MODELS: 1, RAM: 70}) == {}
    assert room.shortage({MODELS: 3, RAM: 71}) == {MODELS: 1, RAM: 1}


def test_only_the_devices_of_a_launch_limit_it() -> None:
    """A launch fits although another device is exceeded."""
    room = Room({RAM: -5, GPU: 10}, {RAM: -5, GPU: 10})
    assert room.fits_now({RAM: 0, GPU: 10})
    assert room.shortage({GPU: 10}) == {}
    assert not room.fits_now({RAM: 1})
    assert room.shortage({RAM: 1, GPU: 10}) == {RAM: 6}


def test_a_launch_that_starts_takes_room_now() -> None:
    """The room after the stops is less by the same amount."""
    room = Room({RAM: 50, GPU: 10}, {RAM: 70, GPU: 10})
    room.take({RAM: 30})
    assert room.now == {RAM: 20, GPU: 10}
    assert room.soon == {RAM: 40, GPU: 10}


@pytest.mark.parametrize(("size", "left_now", "left_soon"), [(30, 20, 40), (50, 20, 20), (55, 15, 15)])
def test_a_waiting_launch_takes_first_what_stops_give_back(size: int, left_now: int, left_soon: int) -> None:
    """Of 20 bytes that are free now and 50 from stops, a waiting launch leaves others as much as possible now."""
    room = Room({RAM: 20}, {RAM: 70})
    room.reserve({RAM: size})
    assert (room.now, room.soon) == ({RAM: left_now}, {RAM: left_soon})


def test_an_eviction_gives_its_room_back_later() -> None:
    """Only the limited devices count."""
    room = Room({RAM: 20}, {RAM: 20})
    room.give_back({RAM: 30, GPU: 5})
    assert (room.now, room.soon) == ({RAM: 20}, {RAM: 50})


def test_the_largest_of_sizes() -> None:
    """The maximum is taken for each device."""
    assert largest([]) == {}
    assert largest([{RAM: 5}, {RAM: 3, GPU: 1}, {GPU: 2}]) == {RAM: 5, GPU: 2}


# --- the expected loss ---


@pytest.mark.parametrize(
    ("idle_s", "typical_return_s", "loss"),
    [(20.0, 5.0, 0.2), (5.0, 20.0, 0.2), (0.0, 0.5, 8.0), (0.1, 0.0, 8.0), (0.0, 0.0, 8.0)],
)
def test_the_loss_is_the_cost_for_the_time_until_the_next_request(
    idle_s: float, typical_return_s: float, loss: float
) -> None:
    """The usual pause is expected, or as long again as it has been idle; at least half a second."""
    assert expected_loss(4.0, idle_s=idle_s, typical_return_s=typical_return_s) == loss


# --- the set of victims ---


def test_no_shortage_needs_no_victim() -> None:
    """The empty set covers it, also without candidates."""
    assert victims_of([candidate(1, ram=10)]) == []
    assert victims_of([candidate(1, ram=10)], ram=0) == []
    assert victims_of([], ram=-5) == []


def test_without_a_sufficient_set_there_are_no_victims() -> None:
    """If all candidates together do not cover it, none is evicted."""
    assert victims_of([candidate(1, ram=10), candidate(2, ram=10)], ram=21) is None
    assert victims_of([candidate(1, ram=100)], gpu0=1) is None
    assert victims_of([], ram=1) is None


def test_the_least_valuable_residents_go_first() -> None:
    """In the order of their values, until the shortage is covered exactly."""
    candidates = [
        candidate(1, value=3.0, ram=10),
        candidate(2, value=1.0, ram=10),
        candidate(3, value=2.0, ram=10),
    ]
    assert victims_of(candidates, ram=10) == [2]
    assert victims_of(candidates, ram=11) == [2, 3]
    assert victims_of(candidates, ram=30) == [2, 3, 1]


def test_the_rank_comes_before_the_value() -> None:
    """A valuable idle resident goes before a worthless busy one."""
    candidates = [candidate(1, rank=4, value=0.0, ram=10), candidate(2, rank=1, value=9.0, ram=10)]
    assert victims_of(candidates, ram=10) == [2]


def test_the_oldest_goes_first_among_equals() -> None:
    """Candidates of equal rank and value are taken in their order."""
    assert victims_of([candidate(5, ram=10), candidate(3, ram=10)], ram=5) == [5]


def test_residents_that_do_not_help_stay() -> None:
    """A resident without memory on the short device is not evicted, however worthless."""
    candidates = [candidate(1, value=0.0, ram=10), candidate(2, value=9.0, gpu0=10)]
    assert victims_of(candidates, gpu0=5) == [2]


def test_residents_that_later_ones_make_unnecessary_stay() -> None:
    """The small one is less valuable, but the large one, which is needed, covers the shortage alone."""
    candidates = [candidate(1, value=1.0, ram=5), candidate(2, value=2.0, ram=10)]
    assert victims_of(candidates, ram=10) == [2]


def test_the_cheapest_set_is_not_the_greedy_one() -> None:
    """The two least valuable ones cost 5 together, the single one that is enough costs 4."""
    candidates = [
        candidate(1, value=2.0, ram=5),
        candidate(2, value=3.0, ram=6),
        candidate(3, value=4.0, ram=11),
        candidate(4, value=3.5, ram=5),
    ]
    assert victims_of(candidates, ram=11) == [3]
    greedy = choose_greedily(candidates, {RAM: 11})
    assert greedy is not None
    assert [victim.generation for victim in greedy] == [1, 2]


def test_of_equally_cheap_sets_the_smallest_is_chosen() -> None:
    """One model of value 4 rather than two of 1 and 3."""
    candidates = [
        candidate(1, value=1.0, ram=5),
        candidate(2, value=3.0, ram=5),
        candidate(3, value=4.0, ram=10),
    ]
    assert victims_of(candidates, ram=10) == [3]


def test_a_large_model_stays_if_a_small_one_is_enough() -> None:
    """The planner of 9 GB is used less often, but its load costs more."""
    planner = candidate(1, value=0.10, ram=9000)
    title = candidate(2, value=0.08, ram=800)
    assert victims_of([planner, title], ram=400) == [2]


def test_a_high_rank_is_not_evicted_to_save_low_ones() -> None:
    """Two idle residents go rather than a busy one, whatever their values; the busy one goes alone if it is needed."""
    candidates = [
        candidate(1, rank=1, value=5.0, ram=5),
        candidate(2, rank=1, value=6.0, ram=5),
        candidate(3, rank=4, value=1.0, ram=12),
    ]
    assert victims_of(candidates, ram=10) == [1, 2]
    assert victims_of(candidates, ram=12) == [3]
    assert victims_of(candidates, ram=15) == [1, 3]


@pytest.mark.parametrize(
    ("count", "victims"), [(EXACT_CANDIDATES - 2, [98]), (EXACT_CANDIDATES - 1, [99, 0])]
)
def test_with_many_candidates_the_choice_is_greedy(count: int, victims: list[int]) -> None:
    """Up to twelve candidates, all sets are compared."""
    small = [candidate(n, value=3.0 + n, ram=1) for n in range(count)]
    candidates = [*small, candidate(98, value=4.5, ram=10), candidate(99, value=2.0, ram=9)]
    assert victims_of(candidates, ram=10) == victims


def test_the_most_valuable_of_two_unnecessary_ones_stays() -> None:
    """25 and one of two small ones are enough: the less valuable of these goes."""
    candidates = [
        candidate(1, value=1.0, ram=5),
        candidate(2, value=2.0, ram=5),
        candidate(3, value=3.0, ram=25),
    ]
    assert victims_of(candidates, ram=30) == [1, 3]


def test_a_set_for_several_devices() -> None:
    """Each short device, and the number of models, is covered."""
    candidates = [
        candidate(1, value=1.0, models=1, ram=10),
        candidate(2, value=2.0, models=1, gpu0=10),
        candidate(3, value=3.5, models=1, ram=10, gpu0=10),
    ]
    assert victims_of(candidates, models=1, ram=10, gpu0=0) == [1]
    assert victims_of(candidates, models=1, ram=10, gpu0=10) == [1, 2]
    assert victims_of(candidates, models=3, ram=10, gpu0=10) == [1, 2, 3]


def _covers(chosen: tuple[Candidate, ...], shortage: dict[str, int]) -> bool:
    return all(sum(c.size.get(device, 0) for c in chosen) >= amount for device, amount in shortage.items())


def _cost_by_rank(chosen: tuple[Candidate, ...]) -> list[tuple[float, int]]:
    """Return value and number, the highest rank first."""
    groups = [[c.value for c in chosen if c.rank == rank] for rank in range(4, -1, -1)]
    return [(sum(values), len(values)) for values in groups]


_DEVICES = st.dictionaries(st.sampled_from([MODELS, RAM, GPU]), st.integers(0, 12))
_CANDIDATES = st.lists(st.tuples(_DEVICES, st.integers(0, 4), st.integers(0, 9)), max_size=7)


@given(drawn=_CANDIDATES, shortage=_DEVICES)
def test_a_chosen_set_is_sufficient_and_minimal(
    drawn: list[tuple[dict[str, int], int, int]], shortage: dict[str, int]
) -> None:
    """It covers the shortage, but not without any of its members; None only if all candidates together do not."""
    candidates = [Candidate(n, size, rank, float(value)) for n, (size, rank, value) in enumerate(drawn)]
    for choose in (choose_victims, choose_greedily):
        chosen = choose(candidates, shortage)
        assert (chosen is None) == (not _covers(tuple(candidates), shortage))
        if not chosen:
            continue
        assert {c.generation for c in chosen} <= {c.generation for c in candidates}
        assert _covers(chosen, shortage)
        for without_one in combinations(chosen, len(chosen) - 1):
            assert not _covers(without_one, shortage)


@given(drawn=_CANDIDATES, shortage=_DEVICES)
def test_no_set_is_cheaper(drawn: list[tuple[dict[str, int], int, int]], shortage: dict[str, int]) -> None:
    """Of all sets that cover the shortage, none loses less of the highest rank, and then of the next ones."""
    candidates = [Candidate(n, size, rank, float(value)) for n, (size, rank, value) in enumerate(drawn)]
    sets = [
        s for n in range(len(candidates) + 1) for s in combinations(candidates, n) if _covers(s, shortage)
    ]
    chosen = choose_victims(candidates, shortage)
    if chosen is not None:
        assert _cost_by_rank(chosen) == min(map(_cost_by_rank, sets))


def test_the_greedy_choice_spares_what_later_ones_make_unnecessary() -> None:
    """The large model, which is needed, covers the shortage without the small one."""
    chosen = choose_greedily([candidate(1, value=1.0, ram=5), candidate(2, value=2.0, ram=10)], {RAM: 10})
    assert chosen is not None
    assert [victim.generation for victim in chosen] == [2]
