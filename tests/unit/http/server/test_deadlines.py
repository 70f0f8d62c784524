"""The deadlines of a connection, without a clock."""

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
    """Return the deadlines of a connection that began at 100."""
    return Deadlines(limits, 100)


def ends(deadlines: Deadlines, phase: Phase, at_s: float) -> bool:
    """Whether the deadlines expire at this time, in this phase, and not earlier."""
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
def test_phase_transitions_follow_the_table(phase: Phase, event: PhaseEvent) -> None:
    """Each event in each phase: the transition of the table, or an error that changes nothing."""
    deadlines = new()
    for step in WAYS[phase]:
        EVENTS[step](deadlines)
    assert deadlines.phase is phase
    deadline_s = deadlines.deadline_s
    if (phase, event) in TRANSITIONS:
        EVENTS[event](deadlines)
        assert deadlines.phase is TRANSITIONS[phase, event]
    else:
        with pytest.raises(RuntimeError, match="Illegal transition"):
            EVENTS[event](deadlines)
        assert (deadlines.phase, deadlines.deadline_s) == (phase, deadline_s)


def test_lingering_close_of_a_client_that_does_not_read_stays_short() -> None:
    """A late ``block_write`` does not restore the write deadline: once all is sent, the lingering close is short."""
    deadlines = new()
    deadlines.begin_lingering_close(100, 0)
    deadlines.block_write(100, 5000)
    assert deadlines.check(101, 0) is None
    assert ends(deadlines, Phase.LINGERING, 101 + LINGERING_S)


def test_a_new_connection_without_data_times_out() -> None:
    """It has the deadline of a head."""
    assert ends(new(), Phase.NEW, 110)


def test_the_first_head_is_timed_from_the_start_of_the_connection() -> None:
    """A late first byte leaves less time; a second ``begin_head`` changes nothing."""
    deadlines = new()
    deadlines.begin_head(109)
    deadlines.begin_head(109.5)
    assert ends(deadlines, Phase.HEAD, 110)


def test_a_later_head_is_timed_from_its_first_byte() -> None:
    """An idle connection may wait first; then the head has its own deadline, even if it drips."""
    deadlines = new()
    deadlines.begin_response()
    deadlines.become_idle(150)
    deadlines.begin_head(200)
    deadlines.begin_head(205)
    assert ends(deadlines, Phase.HEAD, 210)


def test_an_idle_connection_times_out() -> None:
    """After ``idle_s`` without a request."""
    deadlines = new()
    deadlines.begin_response()
    deadlines.become_idle(150)
    assert ends(deadlines, Phase.IDLE, 225)


def test_received_body_bytes_extend_the_deadline() -> None:
    """By one second per ``body_min_rate`` bytes: that rate passes, a drip fails."""
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


def test_a_stalled_body_times_out_after_any_progress() -> None:
    """The deadline is capped: 60 MB and then a stall are held for 30 s, not for a day."""
    deadlines = new()
    deadlines.begin_body(100)
    deadlines.receive_body(60_000_000, 101)
    assert ends(deadlines, Phase.BODY, 131)


@given(st.lists(st.integers(0, 5000), max_size=60))
def test_a_body_deadline_is_capped_and_never_too_early(sizes: list[int]) -> None:
    """It is always within the limit, and the minimum rate is enough to meet it."""
    deadlines = new()
    deadlines.begin_body(100)
    for second, size in enumerate(sizes, 101):
        before = deadlines.deadline_s
        deadlines.receive_body(size, second)
        assert deadlines.deadline_s == min(before + size / 1000, second + 30)
        assert (deadlines.check(second, 0) is Phase.BODY) == (second >= deadlines.deadline_s)


def test_a_queued_body_has_its_own_deadline() -> None:
    """Data received meanwhile does not extend it, and the body's own deadline restarts afterwards."""
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
def test_a_late_client_gets_a_short_lingering_close(
    begin: Callable[[Deadlines], object], end_s: float, lingering_s: float
) -> None:
    """Its connection ends at its deadline; a client that was kept waiting has the usual time."""
    deadlines = new()
    begin(deadlines)
    assert deadlines.check(end_s, 0) is not None
    deadlines.begin_lingering_close(end_s, 0)
    assert ends(deadlines, Phase.LINGERING, end_s + lingering_s)


def test_body_bytes_outside_a_body_extend_nothing() -> None:
    """Received bytes count only while a body is read."""
    deadlines = new()
    deadlines.receive_body(50_000, 100)
    assert ends(deadlines, Phase.NEW, 110)


def test_a_response_has_no_deadline() -> None:
    """While nothing is expected from the client, the handler may take any time."""
    deadlines = new()
    deadlines.begin_response()
    assert deadlines.deadline_s == NO_DEADLINE
    assert deadlines.check(10**9, 0) is None


def test_a_client_that_reads_nothing_times_out_and_a_slow_reader_does_not() -> None:
    """The number of unsent bytes has to decrease."""
    deadlines = new()
    deadlines.block_write(100, 5000)
    assert deadlines.check(159, 5000) is None
    assert deadlines.check(159, 4999) is None
    assert deadlines.check(218, 4999) is None
    assert deadlines.check(219, 4999) is Phase.WRITE_BLOCKED
    assert deadlines.check(219, 4998) is None


def test_a_refused_client_gets_a_lingering_close() -> None:
    """Its input is discarded meanwhile."""
    deadlines = new()
    deadlines.begin_lingering_close(100, 0)
    assert ends(deadlines, Phase.LINGERING, 100 + LINGERING_S)


def test_a_lingering_close_waits_for_a_slow_reader() -> None:
    """It has the write deadline while bytes are unsent, and ``LINGERING_S`` after that."""
    deadlines = new()
    deadlines.begin_lingering_close(100, 5000)
    assert deadlines.check(159, 4000) is None
    assert deadlines.check(218, 4000) is None
    assert deadlines.check(218, 0) is None
    assert ends(deadlines, Phase.LINGERING, 218 + LINGERING_S)


def test_a_lingering_close_times_out_if_the_client_reads_nothing() -> None:
    """A lingering close does not bypass the write deadline."""
    deadlines = new()
    deadlines.begin_lingering_close(100, 5000)
    assert deadlines.check(159, 5000) is None
    assert deadlines.check(160, 5000) is Phase.LINGERING


def test_zero_disables_a_timeout() -> None:
    """Each timeout can be disabled, also that of the first head; the lingering close cannot."""
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


def test_blocking_client_without_a_read_times_out_after_three_times_the_limit() -> None:
    """A client that has not read yet may be slow: its first read may take longer."""
    deadlines = new(WANTED)
    deadlines.block_write(100, 5000)
    assert deadlines.check(114, 5000, is_blocking_others=True) is None
    assert deadlines.check(115, 5000, is_blocking_others=False) is None
    assert deadlines.check(115, 5000, is_blocking_others=True) is Phase.WRITE_BLOCKED


def test_blocking_client_that_stops_after_quick_reads_times_out_after_the_limit() -> None:
    """After quick reads, five seconds without one are enough."""
    deadlines = new(WANTED)
    deadlines.block_write(100, 5000)
    assert deadlines.check(101, 4000, is_blocking_others=True) is None
    assert deadlines.check(105, 4000, is_blocking_others=True) is None
    assert deadlines.check(106, 4000, is_blocking_others=True) is Phase.WRITE_BLOCKED


def test_steady_slow_reader_passes_although_it_blocks_others() -> None:
    """The reads of 2,000 bytes each 6 s from a 4 KB buffer, as the kernel shows them: 12, 18 and 24 s apart."""
    deadlines = new(WANTED)
    deadlines.block_write(0, 90_000)
    unsent = 90_000
    for now in range(1, 200):
        if now % 54 in {12, 30, 0}:
            unsent -= 4096
        assert deadlines.check(now, unsent, is_blocking_others=now >= 15) is None


def test_steady_reader_that_stops_has_at_most_the_ordinary_timeout() -> None:
    """The ordinary timeout is the limit, however slow its reads were."""
    deadlines = new(WANTED)
    deadlines.block_write(0, 5000)
    assert deadlines.check(50, 4000, is_blocking_others=True) is None
    assert deadlines.check(109, 4000, is_blocking_others=True) is None
    assert deadlines.check(110, 4000, is_blocking_others=True) is Phase.WRITE_BLOCKED


def test_read_gaps_are_kept_until_the_response_is_complete() -> None:
    """Gaps survive between blocked phases of one response, and are reset for the next request."""
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


def test_more_unsent_bytes_are_no_read() -> None:
    """Only a decrease counts as a read."""
    deadlines = new(WANTED)
    deadlines.block_write(0, 5000)
    assert deadlines.check(10, 6000, is_blocking_others=True) is None
    assert deadlines.check(15, 6000, is_blocking_others=True) is Phase.WRITE_BLOCKED


def test_zero_disables_the_timeout_of_blocking_clients() -> None:
    """The ordinary write timeout applies."""
    deadlines = new(
        DeadlineLimits(head_s=1, body_s=1, body_min_rate=1, write_s=60, idle_s=1, blocking_write_s=0)
    )
    deadlines.block_write(0, 1)
    assert deadlines.check(59, 1, is_blocking_others=True) is None
    assert deadlines.check(60, 1, is_blocking_others=True) is Phase.WRITE_BLOCKED
