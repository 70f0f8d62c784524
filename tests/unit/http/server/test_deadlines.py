"""How long a connection may take for what it does, without a clock."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.server.deadlines import (
    FOR_EVER,
    LATE_LINGER_S,
    LINGER_S,
    Patience,
    PatienceLimits,
    Phase,
)

LIMITS = PatienceLimits(head_s=10, body_s=30, body_min_rate=1000, write_s=60, idle_s=75)


def new(limits: PatienceLimits = LIMITS) -> Patience:
    """Return the patience with a connection that began at 100."""
    return Patience(limits, 100)


def ends(patience: Patience, phase: Phase, at_s: float) -> bool:
    """Whether it ends at this time, in this phase, and not a moment earlier."""
    return patience.look(at_s - 0.001, 0) is None and patience.look(at_s, 0) is phase


def test_a_connection_that_says_nothing_ends() -> None:
    """It has the time for a head."""
    assert ends(new(), Phase.NEW, 110)


def test_a_first_head_counts_from_the_connections_beginning() -> None:
    """Whoever waits before the first byte has less time for the rest; a second note changes nothing."""
    patience = new()
    patience.begin_head(109)
    patience.begin_head(109.5)
    assert ends(patience, Phase.HEAD, 110)


def test_a_later_head_counts_from_its_first_byte() -> None:
    """An idle connection may wait before it begins; then the head has its own time, however it drips."""
    patience = new()
    patience.rest(150)
    patience.begin_head(200)
    patience.begin_head(205)
    assert ends(patience, Phase.HEAD, 210)


def test_an_idle_connection_ends() -> None:
    """A connection without a request ends after its time."""
    patience = new()
    patience.rest(150)
    assert ends(patience, Phase.IDLE, 225)


def test_a_body_buys_time_with_what_comes() -> None:
    """A second for each ``body_min_rate`` bytes: just as fast lives, a drip does not."""
    living, dripping = new(), new()
    living.begin_body(100)
    dripping.begin_body(100)
    for second in range(101, 1000):
        living.receive_body(1000, second)
        assert living.look(second, 0) is None
    dripped_for = 0
    while dripping.look(100 + dripped_for, 0) is None:
        dripping.receive_body(10, 100 + dripped_for)
        dripped_for += 1
    assert dripped_for == 31


def test_a_body_that_stalls_ends_whatever_had_come() -> None:
    """Nobody buys more than the limit in advance: 60 MB and then silence are held for 30 s, not for a day."""
    patience = new()
    patience.begin_body(100)
    patience.receive_body(60_000_000, 101)
    assert ends(patience, Phase.BODY, 131)


@given(st.lists(st.integers(0, 5000), max_size=60))
def test_a_body_never_has_more_than_the_limit_ahead_nor_less_than_it_paid_for(sizes: list[int]) -> None:
    """The deadline is always within the limit; while it lives, what came at the least rate is enough."""
    patience = new()
    patience.begin_body(100)
    for second, size in enumerate(sizes, 101):
        before = patience.deadline_s
        patience.receive_body(size, second)
        assert patience.deadline_s == min(before + size / 1000, second + 30)
        assert (patience.look(second, 0) is Phase.BODY) == (second >= patience.deadline_s)


def test_a_body_that_waits_for_room_has_a_time_of_its_own_for_that() -> None:
    """What comes meanwhile buys nothing, and the client's own time begins anew when it goes on."""
    patience = new()
    patience.begin_body(100)
    patience.queue_body(120)
    patience.receive_body(5000, 130)
    assert patience.look(149.999, 0) is None
    patience.begin_body(149)
    assert ends(patience, Phase.BODY, 179)
    patience.queue_body(170)
    assert ends(patience, Phase.QUEUE, 200)


@pytest.mark.parametrize(
    ("begin", "end_s", "linger_s"),
    [
        (lambda patience: patience.begin_head(100), 110, LATE_LINGER_S),
        (lambda patience: patience.begin_body(100), 130, LATE_LINGER_S),
        (lambda patience: patience.queue_body(100), 130, LINGER_S),
    ],
    ids=["head", "body", "waiting for room"],
)
def test_a_client_that_was_late_is_listened_to_for_a_moment_only(
    begin: Callable[[Patience], None], end_s: float, linger_s: float
) -> None:
    """Its connection ends at its deadline; a client that was kept waiting has the time of any other."""
    patience = new()
    begin(patience)
    assert patience.look(end_s, 0) is not None
    patience.linger(end_s, 0)
    assert ends(patience, Phase.LINGER, end_s + linger_s)


def test_what_comes_of_no_body_buys_nothing() -> None:
    """Only while a body is read."""
    patience = new()
    patience.receive_body(50_000, 100)
    assert ends(patience, Phase.NEW, 110)


def test_an_answer_has_no_deadline_of_the_clients() -> None:
    """While nothing is waited for from the client, it may take for ever."""
    patience = new()
    patience.answer()
    assert patience.deadline_s == FOR_EVER
    assert patience.look(10**9, 0) is None


def test_a_client_that_takes_nothing_ends_and_one_that_takes_a_little_does_not() -> None:
    """What waits for it has to become less."""
    patience = new()
    patience.choke(100, 5000)
    assert patience.look(159, 5000) is None
    assert patience.look(159, 4999) is None
    assert patience.look(218, 4999) is None
    assert patience.look(219, 4999) is Phase.CHOKED
    assert patience.look(219, 4998) is None


def test_a_refused_client_has_a_moment_to_read() -> None:
    """What it still sends is thrown away for so long."""
    patience = new()
    patience.linger(100, 0)
    assert ends(patience, Phase.LINGER, 100 + LINGER_S)


def test_a_client_that_still_takes_its_last_answer_is_not_cut() -> None:
    """It has the time of any slow reader while something waits for it, and a moment once all is sent."""
    patience = new()
    patience.linger(100, 5000)
    assert patience.look(159, 4000) is None
    assert patience.look(218, 4000) is None
    assert patience.look(218, 0) is None
    assert ends(patience, Phase.LINGER, 218 + LINGER_S)


def test_a_client_that_takes_nothing_of_its_last_answer_ends() -> None:
    """Lingering is no way around the deadline of who does not read."""
    patience = new()
    patience.linger(100, 5000)
    assert patience.look(159, 5000) is None
    assert patience.look(160, 5000) is Phase.LINGER


def test_zero_is_for_ever() -> None:
    """Each limit can be switched off; lingering cannot. The time for a first head is one of them."""
    patience = new(PatienceLimits(head_s=0, body_s=0, body_min_rate=1000, write_s=0, idle_s=0))
    assert patience.look(10**9, 0) is None
    patience.rest(0)
    assert patience.look(10**9, 0) is None
    patience.begin_head(0)
    assert patience.look(10**9, 0) is None
    patience.begin_body(0)
    patience.receive_body(10, 0)
    assert (patience.look(10**9, 0), patience.deadline_s) == (None, math.inf)
    patience.choke(0, 1)
    assert patience.look(10**9, 1) is None
    patience.linger(0, 0)
    assert patience.look(10, 0) is Phase.LINGER


WANTED = PatienceLimits(head_s=10, body_s=10, body_min_rate=1000, write_s=60, idle_s=10, wanted_s=5)


def test_reader_in_the_way_of_others_is_cut_after_three_times_the_limit_when_it_has_read_nothing() -> None:
    """A client that was never seen to read may still be a slow one: its first step may take longer."""
    patience = new(WANTED)
    patience.choke(100, 5000)
    assert patience.look(114, 5000, is_wanted=True) is None
    assert patience.look(115, 5000, is_wanted=False) is None
    assert patience.look(115, 5000, is_wanted=True) is Phase.CHOKED


def test_reader_that_was_quick_and_stopped_is_cut_after_the_limit() -> None:
    """After quick steps, five seconds without one are enough."""
    patience = new(WANTED)
    patience.choke(100, 5000)
    assert patience.look(101, 4000, is_wanted=True) is None
    assert patience.look(105, 4000, is_wanted=True) is None
    assert patience.look(106, 4000, is_wanted=True) is Phase.CHOKED


def test_steady_reader_is_not_cut_although_others_wait() -> None:
    """The steps of a 4 KB buffer read at 2,000 bytes each 6 s, as the kernel shows them: 12, 18 and 24 s apart."""
    patience = new(WANTED)
    patience.choke(0, 90_000)
    unsent = 90_000
    for now in range(1, 200):
        if now % 54 in {12, 30, 0}:
            unsent -= 4096
        assert patience.look(now, unsent, is_wanted=now >= 15) is None


def test_steady_reader_that_stops_has_the_ordinary_limit_at_most() -> None:
    """However slow its steps were, it never gets more than any other client."""
    patience = new(WANTED)
    patience.choke(0, 5000)
    assert patience.look(50, 4000, is_wanted=True) is None
    assert patience.look(109, 4000, is_wanted=True) is None
    assert patience.look(110, 4000, is_wanted=True) is Phase.CHOKED


def test_steps_are_remembered_from_choke_to_choke_until_the_answer_is_over() -> None:
    """A client that took all and is choked again was seen to read; with the next request that is forgotten."""
    patience = new(WANTED)
    patience.choke(0, 5000)
    patience.take(7)
    patience.answer()
    patience.choke(8, 5000)
    assert patience.look(28, 5000, is_wanted=True) is None
    assert patience.look(29, 5000, is_wanted=True) is Phase.CHOKED
    patience.rest(30)
    patience.choke(31, 5000)
    assert patience.look(45, 5000, is_wanted=True) is None
    assert patience.look(46, 5000, is_wanted=True) is Phase.CHOKED


def test_more_that_waits_is_no_step() -> None:
    """Only what becomes less was read."""
    patience = new(WANTED)
    patience.choke(0, 5000)
    assert patience.look(10, 6000, is_wanted=True) is None
    assert patience.look(15, 6000, is_wanted=True) is Phase.CHOKED


def test_zero_gives_a_reader_in_the_way_the_ordinary_time() -> None:
    """The shorter limit can be switched off."""
    patience = new(PatienceLimits(head_s=1, body_s=1, body_min_rate=1, write_s=60, idle_s=1, wanted_s=0))
    patience.choke(0, 1)
    assert patience.look(59, 1, is_wanted=True) is None
    assert patience.look(60, 1, is_wanted=True) is Phase.CHOKED
