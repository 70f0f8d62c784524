"""How long a connection may take for what it does, without a clock."""

import math
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.server.deadlines import (
    LINGERING_S,
    NO_DEADLINE,
    TIMED_OUT_LINGERING_S,
    TRANSITIONS,
    DeadlineLimits,
    Deadlines,
    Phase,
    PhaseEvent,
)

LIMITS = DeadlineLimits(head_s=10, body_s=30, body_min_rate=1000, write_s=60, idle_s=75)


def new(limits: DeadlineLimits = LIMITS) -> Deadlines:
    """Return the deadlines with a connection that began at 100."""
    return Deadlines(limits, 100)


def ends(deadlines: Deadlines, phase: Phase, at_s: float) -> bool:
    """Whether it ends at this time, in this phase, and not a moment earlier."""
    return deadlines.check(at_s - 0.001, 0) is None and deadlines.check(at_s, 0) is phase


EVENTS: dict[PhaseEvent, Callable[[Deadlines], None]] = {
    PhaseEvent.RESPONSE_COMPLETE: lambda deadlines: deadlines.become_idle(101),
    PhaseEvent.HEAD_STARTED: lambda deadlines: deadlines.begin_head(101),
    PhaseEvent.BODY_STARTED: lambda deadlines: deadlines.begin_body(101),
    PhaseEvent.BODY_QUEUED: lambda deadlines: deadlines.queue_body(101),
    PhaseEvent.REQUEST_COMPLETE: lambda deadlines: deadlines.begin_response(),
    PhaseEvent.WRITE_BLOCKED: lambda deadlines: deadlines.block_write(101, 5000),
    PhaseEvent.WRITE_PROGRESS: lambda deadlines: deadlines.record_read(101),
    PhaseEvent.LINGERING_CLOSE: lambda deadlines: deadlines.begin_lingering_close(101, 0),
}
WAYS: dict[Phase, list[PhaseEvent]] = {
    Phase.NEW: [],
    Phase.HEAD: [PhaseEvent.HEAD_STARTED],
    Phase.BODY: [PhaseEvent.BODY_STARTED],
    Phase.QUEUE: [PhaseEvent.BODY_STARTED, PhaseEvent.BODY_QUEUED],
    Phase.RESPONSE: [PhaseEvent.REQUEST_COMPLETE],
    Phase.IDLE: [PhaseEvent.REQUEST_COMPLETE, PhaseEvent.RESPONSE_COMPLETE],
    Phase.WRITE_BLOCKED: [PhaseEvent.REQUEST_COMPLETE, PhaseEvent.WRITE_BLOCKED],
    Phase.LINGERING: [PhaseEvent.LINGERING_CLOSE],
}
"""The moves that lead to each phase."""


@pytest.mark.parametrize(("phase", "event"), list(product(Phase, PhaseEvent)))
def test_a_connection_moves_as_its_table_says(phase: Phase, event: PhaseEvent) -> None:
    """Each event in each phase: the table's move, or an error that changes nothing."""
    deadlines = new()
    for step in WAYS[phase]:
        EVENTS[step](deadlines)
    assert deadlines.phase is phase
    deadline_s = deadlines.deadline_s
    if (phase, event) in TRANSITIONS:
        EVENTS[event](deadlines)
        assert deadlines.phase is TRANSITIONS[phase, event]
    else:
        with pytest.raises(RuntimeError, match="No move"):
            EVENTS[event](deadlines)
        assert (deadlines.phase, deadlines.deadline_s) == (phase, deadline_s)


def test_a_lingering_client_that_does_not_read_lingers_on() -> None:
    """A loop that tells late of what waits does not bring back the time of a response: once sent, a moment is left."""
    deadlines = new()
    deadlines.begin_lingering_close(100, 0)
    deadlines.block_write(100, 5000)
    assert deadlines.check(101, 0) is None
    assert ends(deadlines, Phase.LINGERING, 101 + LINGERING_S)


def test_a_connection_that_says_nothing_ends() -> None:
    """It has the time for a head."""
    assert ends(new(), Phase.NEW, 110)


def test_a_first_head_counts_from_the_connections_beginning() -> None:
    """Whoever waits before the first byte has less time for the rest; a second note changes nothing."""
    deadlines = new()
    deadlines.begin_head(109)
    deadlines.begin_head(109.5)
    assert ends(deadlines, Phase.HEAD, 110)


def test_a_later_head_counts_from_its_first_byte() -> None:
    """An idle connection may wait before it begins; then the head has its own time, however it drips."""
    deadlines = new()
    deadlines.begin_response()
    deadlines.become_idle(150)
    deadlines.begin_head(200)
    deadlines.begin_head(205)
    assert ends(deadlines, Phase.HEAD, 210)


def test_an_idle_connection_ends() -> None:
    """A connection without a request ends after its time."""
    deadlines = new()
    deadlines.begin_response()
    deadlines.become_idle(150)
    assert ends(deadlines, Phase.IDLE, 225)


def test_a_body_buys_time_with_what_comes() -> None:
    """A second for each ``body_min_rate`` bytes: just as fast lives, a drip does not."""
    living, dripping = new(), new()
    living.begin_body(100)
    dripping.begin_body(100)
    for second in range(101, 1000):
        living.receive_body(1000, second)
        assert living.check(second, 0) is None
    dripped_for = 0
    while dripping.check(100 + dripped_for, 0) is None:
        dripping.receive_body(10, 100 + dripped_for)
        dripped_for += 1
    assert dripped_for == 31


def test_a_body_that_stalls_ends_whatever_had_come() -> None:
    """Nobody buys more than the limit in advance: 60 MB and then silence are held for 30 s, not for a day."""
    deadlines = new()
    deadlines.begin_body(100)
    deadlines.receive_body(60_000_000, 101)
    assert ends(deadlines, Phase.BODY, 131)


@given(st.lists(st.integers(0, 5000), max_size=60))
def test_a_body_never_has_more_than_the_limit_ahead_nor_less_than_it_paid_for(sizes: list[int]) -> None:
    """The deadline is always within the limit; while it lives, what came at the least rate is enough."""
    deadlines = new()
    deadlines.begin_body(100)
    for second, size in enumerate(sizes, 101):
        before = deadlines.deadline_s
        deadlines.receive_body(size, second)
        assert deadlines.deadline_s == min(before + size / 1000, second + 30)
        assert (deadlines.check(second, 0) is Phase.BODY) == (second >= deadlines.deadline_s)


def test_a_body_that_waits_for_room_has_a_time_of_its_own_for_that() -> None:
    """What comes meanwhile buys nothing, and the client's own time begins anew when it goes on."""
    deadlines = new()
    deadlines.begin_body(100)
    deadlines.queue_body(120)
    deadlines.receive_body(5000, 130)
    assert deadlines.check(149.999, 0) is None
    deadlines.begin_body(149)
    assert ends(deadlines, Phase.BODY, 179)
    deadlines.queue_body(170)
    assert ends(deadlines, Phase.QUEUE, 200)


@pytest.mark.parametrize(
    ("begin", "end_s", "lingering_s"),
    [
        (lambda deadlines: deadlines.begin_head(100), 110, TIMED_OUT_LINGERING_S),
        (lambda deadlines: deadlines.begin_body(100), 130, TIMED_OUT_LINGERING_S),
        (lambda deadlines: (deadlines.begin_body(100), deadlines.queue_body(100)), 130, LINGERING_S),
    ],
    ids=["head", "body", "waiting for room"],
)
def test_a_client_that_was_late_is_listened_to_for_a_moment_only(
    begin: Callable[[Deadlines], object], end_s: float, lingering_s: float
) -> None:
    """Its connection ends at its deadline; a client that was kept waiting has the time of any other."""
    deadlines = new()
    begin(deadlines)
    assert deadlines.check(end_s, 0) is not None
    deadlines.begin_lingering_close(end_s, 0)
    assert ends(deadlines, Phase.LINGERING, end_s + lingering_s)


def test_what_comes_of_no_body_buys_nothing() -> None:
    """Only while a body is read."""
    deadlines = new()
    deadlines.receive_body(50_000, 100)
    assert ends(deadlines, Phase.NEW, 110)


def test_an_answer_has_no_deadline_of_the_clients() -> None:
    """While nothing is waited for from the client, it may take for ever."""
    deadlines = new()
    deadlines.begin_response()
    assert deadlines.deadline_s == NO_DEADLINE
    assert deadlines.check(10**9, 0) is None


def test_a_client_that_takes_nothing_ends_and_one_that_takes_a_little_does_not() -> None:
    """What waits for it has to become less."""
    deadlines = new()
    deadlines.block_write(100, 5000)
    assert deadlines.check(159, 5000) is None
    assert deadlines.check(159, 4999) is None
    assert deadlines.check(218, 4999) is None
    assert deadlines.check(219, 4999) is Phase.WRITE_BLOCKED
    assert deadlines.check(219, 4998) is None


def test_a_refused_client_has_a_moment_to_read() -> None:
    """What it still sends is thrown away for so long."""
    deadlines = new()
    deadlines.begin_lingering_close(100, 0)
    assert ends(deadlines, Phase.LINGERING, 100 + LINGERING_S)


def test_a_client_that_still_takes_its_last_answer_is_not_cut() -> None:
    """It has the time of any slow reader while something waits for it, and a moment once all is sent."""
    deadlines = new()
    deadlines.begin_lingering_close(100, 5000)
    assert deadlines.check(159, 4000) is None
    assert deadlines.check(218, 4000) is None
    assert deadlines.check(218, 0) is None
    assert ends(deadlines, Phase.LINGERING, 218 + LINGERING_S)


def test_a_client_that_takes_nothing_of_its_last_answer_ends() -> None:
    """Lingering is no way around the deadline of who does not read."""
    deadlines = new()
    deadlines.begin_lingering_close(100, 5000)
    assert deadlines.check(159, 5000) is None
    assert deadlines.check(160, 5000) is Phase.LINGERING


def test_zero_is_for_ever() -> None:
    """Each limit can be switched off; lingering cannot. The time for a first head is one of them."""
    deadlines = new(DeadlineLimits(head_s=0, body_s=0, body_min_rate=1000, write_s=0, idle_s=0))
    assert deadlines.check(10**9, 0) is None
    deadlines.begin_response()
    deadlines.become_idle(0)
    assert deadlines.check(10**9, 0) is None
    deadlines.begin_head(0)
    assert deadlines.check(10**9, 0) is None
    deadlines.begin_body(0)
    deadlines.receive_body(10, 0)
    assert (deadlines.check(10**9, 0), deadlines.deadline_s) == (None, math.inf)
    deadlines.block_write(0, 1)
    assert deadlines.check(10**9, 1) is None
    deadlines.begin_lingering_close(0, 0)
    assert deadlines.check(10, 0) is Phase.LINGERING


WANTED = DeadlineLimits(head_s=10, body_s=10, body_min_rate=1000, write_s=60, idle_s=10, blocking_write_s=5)


def test_reader_in_the_way_of_others_is_cut_after_three_times_the_limit_when_it_has_read_nothing() -> None:
    """A client that was never seen to read may still be a slow one: its first step may take longer."""
    deadlines = new(WANTED)
    deadlines.block_write(100, 5000)
    assert deadlines.check(114, 5000, is_blocking_others=True) is None
    assert deadlines.check(115, 5000, is_blocking_others=False) is None
    assert deadlines.check(115, 5000, is_blocking_others=True) is Phase.WRITE_BLOCKED


def test_reader_that_was_quick_and_stopped_is_cut_after_the_limit() -> None:
    """After quick steps, five seconds without one are enough."""
    deadlines = new(WANTED)
    deadlines.block_write(100, 5000)
    assert deadlines.check(101, 4000, is_blocking_others=True) is None
    assert deadlines.check(105, 4000, is_blocking_others=True) is None
    assert deadlines.check(106, 4000, is_blocking_others=True) is Phase.WRITE_BLOCKED


def test_steady_reader_is_not_cut_although_others_wait() -> None:
    """The steps of a 4 KB buffer read at 2,000 bytes each 6 s, as the kernel shows them: 12, 18 and 24 s apart."""
    deadlines = new(WANTED)
    deadlines.block_write(0, 90_000)
    unsent = 90_000
    for now in range(1, 200):
        if now % 54 in {12, 30, 0}:
            unsent -= 4096
        assert deadlines.check(now, unsent, is_blocking_others=now >= 15) is None


def test_steady_reader_that_stops_has_the_ordinary_limit_at_most() -> None:
    """However slow its steps were, it never gets more than any other client."""
    deadlines = new(WANTED)
    deadlines.block_write(0, 5000)
    assert deadlines.check(50, 4000, is_blocking_others=True) is None
    assert deadlines.check(109, 4000, is_blocking_others=True) is None
    assert deadlines.check(110, 4000, is_blocking_others=True) is Phase.WRITE_BLOCKED


def test_steps_are_remembered_from_block_to_block_until_the_answer_is_over() -> None:
    """A client that took all and is blocks writes again was seen to read; with the next request that is forgotten."""
    deadlines = new(WANTED)
    deadlines.block_write(0, 5000)
    deadlines.record_read(7)
    deadlines.begin_response()
    deadlines.block_write(8, 5000)
    assert deadlines.check(28, 5000, is_blocking_others=True) is None
    assert deadlines.check(29, 5000, is_blocking_others=True) is Phase.WRITE_BLOCKED
    deadlines.become_idle(30)
    deadlines.block_write(31, 5000)
    assert deadlines.check(45, 5000, is_blocking_others=True) is None
    assert deadlines.check(46, 5000, is_blocking_others=True) is Phase.WRITE_BLOCKED


def test_more_that_waits_is_no_step() -> None:
    """Only what becomes less was read."""
    deadlines = new(WANTED)
    deadlines.block_write(0, 5000)
    assert deadlines.check(10, 6000, is_blocking_others=True) is None
    assert deadlines.check(15, 6000, is_blocking_others=True) is Phase.WRITE_BLOCKED


def test_zero_gives_a_reader_in_the_way_the_ordinary_time() -> None:
    """The shorter limit can be switched off."""
    deadlines = new(
        DeadlineLimits(head_s=1, body_s=1, body_min_rate=1, write_s=60, idle_s=1, blocking_write_s=0)
    )
    deadlines.block_write(0, 1)
    assert deadlines.check(59, 1, is_blocking_others=True) is None
    assert deadlines.check(60, 1, is_blocking_others=True) is Phase.WRITE_BLOCKED
