"""The hint for two models that are swapped repeatedly although both fit."""

import pytest
from tests.support.golden import Golden

from gglib.core.runtime.status import SwapStatus
from gglib.runtime.scheduler.swap_hint import SWAPS, WINDOW_S, KnownSizes, SwapHint


def a_swap(from_model: str | None, to_model: str | None, error: str | None = None) -> SwapStatus:
    """Return a finished swap."""
    return SwapStatus(from_model=from_model, to_model=to_model, why="'m' was idle", error=error)


A_TO_B, B_TO_A = a_swap("a", "b"), a_swap("b", "a")


def hints(*swaps: tuple[float, SwapStatus], fit: bool = True) -> list[str | None]:
    """Return what is returned for each swap, by a hint whose models all fit together, or none do."""
    hint = SwapHint(lambda *_: fit)
    return [hint.record(swap, now) for now, swap in swaps]


def test_third_swap_of_the_same_two_models_within_a_minute_is_the_reason(golden: Golden) -> None:
    """In either direction; the text names both models, the setting, and a command."""
    first, second, third = hints((0.0, A_TO_B), (1.0, B_TO_A), (2.0, A_TO_B))
    assert (first, second) == (None, None)
    assert third is not None
    assert all(
        words in third
        for words in ("'a' and 'b'", f"{SWAPS} times", 'max_models = "auto"', "--max-models auto")
    )
    assert golden(third)


def test_hint_is_returned_once_and_stays_readable() -> None:
    """Later swaps, also of other models, cause no second one."""
    hint = SwapHint(lambda *_: True)
    assert hint.text is None
    returned = [hint.record(swap, float(now)) for now, swap in enumerate([A_TO_B, B_TO_A] * 4)]
    returned += [hint.record(a_swap("c", "d"), 9.0) for _ in range(SWAPS)]
    assert [text for text in returned if text is not None] == [hint.text]


def test_no_hint_while_several_models_may_be_in_memory() -> None:
    """A disabled detection counts no swap and has no text; later swaps count from the start."""
    hint = SwapHint(lambda *_: True, is_enabled=False)
    assert [hint.record(A_TO_B, 0.0) for _ in range(SWAPS)] == [None] * SWAPS
    hint.enable(is_enabled=True)
    returned = [hint.record(A_TO_B, 0.0) for _ in range(SWAPS)]
    assert [text is not None for text in returned] == [False, False, True]
    hint.enable(is_enabled=False)
    assert hint.text is None


@pytest.mark.parametrize(("third_at", "is_given"), [(WINDOW_S - 0.1, True), (WINDOW_S, False)])
def test_old_swaps_do_not_count(third_at: float, *, is_given: bool) -> None:
    """A swap counts for a minute."""
    *_, last = hints((0.0, A_TO_B), (1.0, B_TO_A), (third_at, A_TO_B))
    assert (last is not None) is is_given


@pytest.mark.parametrize(
    "other",
    [a_swap("a", "c"), a_swap(None, "b"), a_swap("a", None), a_swap("a", "a"), a_swap("a", "b", "why")],
)
def test_other_swaps_do_not_count(other: SwapStatus) -> None:
    """Swaps with a third model, loads and unloads alone, a larger context of one model, and failed loads."""
    assert hints((0.0, A_TO_B), (1.0, B_TO_A), (2.0, other)) == [None] * 3


def test_models_that_do_not_fit_together_cause_no_hint() -> None:
    """The names are checked at each further swap: sizes may become known later."""
    asked: list[tuple[str, str]] = []

    def fit_together(first: str, second: str) -> bool:
        asked.append((first, second))
        return len(asked) == 2

    hint = SwapHint(fit_together)
    returned = [hint.record(swap, now) for now, swap in enumerate([A_TO_B, B_TO_A, A_TO_B, B_TO_A])]
    assert [text is not None for text in returned] == [False, False, False, True]
    assert asked == [("a", "b")] * 2
    assert hints(*((0.0, A_TO_B),) * 5, fit=False) == [None] * 5


@pytest.mark.parametrize(
    ("sizes", "fits"),
    [
        ({"a": {"ram": 6}, "b": {"ram": 4}}, True),
        ({"a": {"ram": 6}, "b": {"ram": 5}}, False),
        ({"a": {"ram": 6}, "b": {"gpu0": 3}}, True),
        ({"a": {"ram": 1, "gpu0": 2}, "b": {"ram": 1, "gpu0": 2}}, False),
        ({"a": {"ram": 1}, "b": {"gpu1": 99}}, True),
        ({"a": {"ram": 1}}, False),
        ({"a": {"ram": 1}, "b": {}}, False),
        ({}, False),
    ],
)
def test_models_fit_together_if_their_sizes_are_known(
    sizes: dict[str, dict[str, int]], *, fits: bool
) -> None:
    """The sum fits the budget of each device; a device without a budget has no limit."""
    known = KnownSizes(lambda: {"ram": 10, "gpu0": 3})
    for name, size in sizes.items():
        known.record(name, size)
    assert known.fit_together("a", "b") is known.fit_together("b", "a") is fits


def test_last_size_of_a_model_counts() -> None:
    """A measured size replaces the expected one."""
    known = KnownSizes(lambda: {"ram": 10})
    known.record("a", {"ram": 6})
    known.record("b", {"ram": 6})
    known.record("b", {"ram": 4})
    assert known.fit_together("a", "b")
