"""The memory budget of all request bodies: which bodies may continue, and the most they hold."""

from hypothesis import given
from hypothesis import strategies as st

from gglib.http.server.budget import READ_BYTES, UNCOUNTED_BYTES, BodyBudget

LIMIT_BYTES = 1_000_000


def test_small_bodies_are_not_counted() -> None:
    """Bodies up to ``UNCOUNTED_BYTES`` are not counted, however many there are."""
    budget = BodyBudget[int](1, max_body_bytes=1)
    assert all(budget.grow(number, UNCOUNTED_BYTES) for number in range(100))
    assert budget.held_bytes == 0


def test_received_bytes_are_counted_and_released() -> None:
    """A body counts with its current size, and nothing remains after ``release``."""
    budget = BodyBudget[str](LIMIT_BYTES, max_body_bytes=2 * LIMIT_BYTES)
    assert budget.grow("a", UNCOUNTED_BYTES + 10)
    assert budget.grow("a", UNCOUNTED_BYTES + 30)
    assert budget.grow("b", UNCOUNTED_BYTES + 5)
    assert budget.held_bytes == 35
    budget.finish("a")
    assert budget.held_bytes == 35
    budget.release("a")
    budget.release("a")
    assert budget.held_bytes == 5


def test_beyond_the_budget_the_oldest_body_continues_and_the_others_wait() -> None:
    """One body always completes; then the next oldest may continue."""
    budget = BodyBudget[str](LIMIT_BYTES, max_body_bytes=2 * LIMIT_BYTES)
    for owner in "abc":
        assert budget.grow(owner, UNCOUNTED_BYTES + 1)
    assert not budget.grow("b", UNCOUNTED_BYTES + LIMIT_BYTES)
    assert not budget.grow("c", UNCOUNTED_BYTES + 2)
    assert budget.grow("a", UNCOUNTED_BYTES + LIMIT_BYTES)
    assert budget.admit() == []
    budget.finish("a")
    assert budget.admit() == ["b"]
    assert budget.admit() == []
    budget.release("a")
    assert budget.admit() == []
    budget.release("b")
    assert budget.admit() == ["c"]


def test_a_larger_budget_admits_waiting_bodies() -> None:
    """After a smaller one, only the oldest body continues."""
    budget = BodyBudget[str](LIMIT_BYTES, max_body_bytes=LIMIT_BYTES)
    assert budget.grow("a", UNCOUNTED_BYTES + LIMIT_BYTES // 2)
    assert budget.grow("b", UNCOUNTED_BYTES + 1)
    budget.set_limit(LIMIT_BYTES // 4, max_body_bytes=LIMIT_BYTES)
    assert not budget.grow("b", UNCOUNTED_BYTES + 2)
    assert budget.grow("a", UNCOUNTED_BYTES + LIMIT_BYTES // 2 + 1)
    budget.set_limit(LIMIT_BYTES, max_body_bytes=LIMIT_BYTES)
    assert budget.admit() == ["b"]


def test_admits_waiting_bodies_while_there_is_room() -> None:
    """The longest waiting first, one for each read that fits."""
    budget = BodyBudget[str](LIMIT_BYTES, max_body_bytes=2 * LIMIT_BYTES)
    assert budget.grow("held", UNCOUNTED_BYTES + LIMIT_BYTES)
    budget.finish("held")
    budget.grow("oldest", UNCOUNTED_BYTES + 1)
    waiting = [f"w{number}" for number in range(9)]
    assert not any(budget.grow(owner, UNCOUNTED_BYTES + 1) for owner in waiting)
    budget.release("held")
    assert budget.admit() == waiting[: -(-(LIMIT_BYTES - 10) // READ_BYTES)]


def test_complete_bodies_exceed_the_budget_by_at_most_one_body() -> None:
    """Requests that wait for their model hold their bodies, and further uploads get no room."""
    budget = BodyBudget[int](LIMIT_BYTES, max_body_bytes=LIMIT_BYTES)
    for owner in (1, 2):
        assert budget.grow(owner, UNCOUNTED_BYTES + LIMIT_BYTES - 1)
        budget.finish(owner)
    assert budget.grow(3, UNCOUNTED_BYTES + 1)
    assert not budget.grow(3, UNCOUNTED_BYTES + 2)
    assert budget.admit() == []
    assert budget.held_bytes == 2 * LIMIT_BYTES
    budget.release(1)
    assert budget.admit() == [3]


def test_a_body_larger_than_the_budget_is_read_if_none_has_finished() -> None:
    """Other unfinished bodies wait for it, however much they hold."""
    budget = BodyBudget[str](1, max_body_bytes=1)
    assert budget.grow("a", UNCOUNTED_BYTES + 100)
    assert not budget.grow("b", UNCOUNTED_BYTES + 100)
    assert budget.grow("a", UNCOUNTED_BYTES + 200)


def test_a_released_owner_is_forgotten() -> None:
    """A body that failed while it waited is not admitted later."""
    budget = BodyBudget[str](1, max_body_bytes=1)
    budget.grow("a", UNCOUNTED_BYTES + 1)
    assert not budget.grow("b", UNCOUNTED_BYTES + 1)
    budget.release("b")
    budget.release("a")
    assert (budget.admit(), budget.held_bytes) == ([], 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["grow", "finish", "release"])), max_size=80))
def test_the_oldest_incomplete_body_can_always_continue(steps: list[tuple[int, str]]) -> None:
    """In any sequence the oldest incomplete body waits only for complete ones, and the count is the sum.

    Together the bodies hold at most one body more than the budget, and what each has read when it is paused.
    """
    limit_bytes, body_bytes = 3 * READ_BYTES, 4 * READ_BYTES
    budget, sizes, growing, paused = (
        BodyBudget[int](limit_bytes, max_body_bytes=body_bytes),
        dict[int, int](),
        list[int](),
        set[int](),
    )
    for owner, what in steps:
        may_grow = owner not in paused and (owner in growing or owner not in sizes)
        if what == "grow" and may_grow and sizes.get(owner, 0) < body_bytes:
            sizes[owner] = sizes.get(owner, UNCOUNTED_BYTES) + READ_BYTES
            growing += [owner] if owner not in growing else []
            if not budget.grow(owner, sizes[owner]):
                paused.add(owner)
        elif what == "finish" and owner in growing and owner not in paused:
            growing.remove(owner)
            budget.finish(owner)
        elif what == "release":
            sizes.pop(owner, None)
            growing = [other for other in growing if other != owner]
            paused.discard(owner)
            budget.release(owner)
        for admitted in budget.admit():
            paused.remove(admitted)
        has_ended = len(sizes) > len(growing)
        assert not growing or growing[0] not in paused or has_ended
        assert budget.held_bytes <= limit_bytes + body_bytes + 6 * READ_BYTES
        assert budget.held_bytes == sum(size - UNCOUNTED_BYTES for size in sizes.values())
        assert paused <= set(growing)
