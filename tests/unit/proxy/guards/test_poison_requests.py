"""Refusal of requests that repeatedly crash engines."""

import pytest

from gglib.proxy.guards.poison_requests import (
    FIRST_REFUSAL_S,
    MAX_ENTRIES,
    MAX_REFUSAL_S,
    PoisonRequestError,
    PoisonRequests,
)

POISON, SAME_SIZE = b'{"model":"m","x":1}', b'{"model":"m","x":2}'


def test_one_crash_refuses_nothing() -> None:
    """One crash refuses nothing; without crashes there is nothing to check."""
    assert not PoisonRequests().has_entries
    bodies = PoisonRequests()
    bodies.record_crash("m", POISON, 0)
    assert bodies.has_entries
    bodies.check("m", POISON, 1)


def test_body_that_crashed_two_engines_is_refused() -> None:
    """The second crash refuses the body for a minute; others of its size, and the same body for another model, pass."""
    bodies = PoisonRequests()
    bodies.record_crash("m", POISON, 0)
    bodies.record_crash("m", POISON, 5)
    with pytest.raises(PoisonRequestError, match="crashed 2 times"):
        bodies.check("m", POISON, 64.9)
    bodies.check("m", POISON, 5 + FIRST_REFUSAL_S)
    bodies.check("m", SAME_SIZE, 6)
    bodies.check("other", POISON, 6)


def test_each_further_crash_doubles_the_time() -> None:
    """The refusal doubles with each crash, up to an hour."""
    bodies = PoisonRequests()
    now = 0.0
    bodies.record_crash("m", POISON, now)
    for refused_s in (60, 120, 240, 480, 960, 1920, MAX_REFUSAL_S, MAX_REFUSAL_S):
        bodies.record_crash("m", POISON, now)
        with pytest.raises(PoisonRequestError):
            bodies.check("m", POISON, now + refused_s - 0.1)
        now += refused_s
        bodies.check("m", POISON, now)


def test_old_crashes_are_forgotten() -> None:
    """An hour after the last refusal has ended, a crash is the first one again."""
    end_s = FIRST_REFUSAL_S + MAX_REFUSAL_S
    for age_s, is_refused in ((end_s - 0.1, True), (end_s, False)):
        bodies = PoisonRequests()
        bodies.record_crash("m", POISON, 0)
        bodies.record_crash("m", POISON, age_s)
        if is_refused:
            with pytest.raises(PoisonRequestError):
                bodies.check("m", POISON, age_s)
        else:
            bodies.check("m", POISON, age_s)


def test_memory_of_crashes_is_bounded() -> None:
    """A new body replaces the oldest one."""
    bodies = PoisonRequests()
    for number in range(MAX_ENTRIES + 1):
        for _ in range(2):
            bodies.record_crash("m", b"%d" % number, 0)
    bodies.check("m", b"0", 1)
    with pytest.raises(PoisonRequestError):
        bodies.check("m", b"1", 1)
