"""When a node is ready, down or refused, and when it is probed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.nodes import NodeState
from gglib.nodes.peers.probing import (
    FIRST_HOLD_S,
    FLAP_WINDOW_S,
    FREE_FALLS,
    MAX_HOLD_S,
    MAX_REFUSED_INTERVAL_S,
    MIN_GAP_S,
    PROBE_INTERVAL_S,
    PROBE_TIMEOUT_S,
    RETRY_S,
    PeerProbing,
)

UNKNOWN, READY, DRAINING, DOWN, REFUSED = NodeState


def ready_probing(now_s: float = 0.0) -> PeerProbing:
    """Return a node that has answered at ``now_s``."""
    probing = PeerProbing(now_s)
    probing.begin(now_s)
    probing.ready(now_s)
    return probing


def fail(probing: PeerProbing, now_s: float) -> None:
    """Start a probe that fails at once."""
    probing.begin(now_s)
    probing.failed(now_s, "It failed.")


def fall_and_return(probing: PeerProbing, now_s: float) -> None:
    """Let a node fall at ``now_s`` and answer a second later."""
    fail(probing, now_s)
    fail(probing, now_s + RETRY_S)
    probing.begin(now_s + 1)
    probing.ready(now_s + 1)


def test_a_new_node_is_unknown_and_probed_at_once() -> None:
    """Until its first probe ends."""
    probing = PeerProbing(5)
    assert (probing.state, probing.next_probe_s, probing.failure) == (UNKNOWN, 5, "")
    assert not probing.is_answering


def test_an_answer_makes_it_ready_and_the_next_probe_is_a_second_after_the_last() -> None:
    """Counted from the start of the probe: a slow answer does not delay the next probe."""
    probing = PeerProbing(0)
    probing.begin(0)
    probing.ready(0.4)
    assert (probing.state, probing.next_probe_s) == (READY, PROBE_INTERVAL_S)
    assert probing.is_answering


def test_one_failed_probe_is_repeated_soon_and_two_make_it_down() -> None:
    """The reason is known from the first on."""
    probing = ready_probing()
    fail(probing, 1)
    assert (probing.state, probing.failure, probing.next_probe_s) == (READY, "It failed.", 1 + RETRY_S)
    fail(probing, 1.5)
    assert (probing.state, probing.next_probe_s) == (DOWN, 1.5 + PROBE_INTERVAL_S)
    assert not probing.is_answering


def test_failures_with_an_answer_between_them_do_not_count() -> None:
    """Two in a row are needed."""
    probing = ready_probing()
    for second in range(1, 20, 2):
        fail(probing, second)
        probing.begin(second + 1)
        probing.ready(second + 1)
        assert (probing.state, probing.failure) == (READY, "")


def test_a_silent_node_is_down_within_three_seconds_of_its_last_answer() -> None:
    """The worst case: it stops just after a probe, and the next two last until their limit."""
    probing = ready_probing()
    now_s = 0.0
    while probing.state is READY:
        now_s = max(now_s, probing.next_probe_s)
        probing.begin(now_s)
        now_s += PROBE_TIMEOUT_S
        probing.failed(now_s, "It did not answer.")
    assert now_s == pytest.approx(2.8)
    assert probing.next_probe_s - now_s <= PROBE_INTERVAL_S


def test_a_node_that_is_down_is_probed_every_second_for_ever() -> None:
    """So that it is used soon after its return."""
    probing = ready_probing()
    now_s = 1.0
    for _ in range(1000):
        fail(probing, now_s)
        now_s = probing.next_probe_s
    assert probing.state is DOWN
    assert now_s <= 1 + 1000 * PROBE_INTERVAL_S
    probing.begin(now_s)
    probing.ready(now_s)
    assert probing.state is READY


def test_a_drained_node_is_draining_as_long_as_it_answers() -> None:
    """By the user's order; a dead one is down."""
    probing = ready_probing()
    probing.is_drained = True
    assert probing.state is DRAINING
    assert probing.is_answering
    fail(probing, 1)
    fail(probing, 2)
    assert probing.state is DOWN
    probing.begin(3)
    probing.ready(3)
    probing.is_drained = False
    assert probing.state is READY


def test_a_node_that_shuts_down_is_draining_and_its_end_is_no_fall() -> None:
    """It announced its end."""
    probing = ready_probing()
    for second in range(0, 50, 5):
        probing.begin(second)
        probing.draining()
        assert (probing.state, probing.failure) == (DRAINING, "")
        fail(probing, second + 1)
        fail(probing, second + 2)
        probing.begin(second + 3)
        probing.ready(second + 3)
        assert probing.state is READY


def test_a_node_that_starts_gets_no_requests_yet() -> None:
    """It answers, so its failures are forgotten."""
    probing = ready_probing()
    fail(probing, 1)
    probing.begin(2)
    probing.starting("It is starting.")
    assert (probing.state, probing.failure, probing.next_probe_s) == (DOWN, "It is starting.", 3)
    fail(probing, 3)
    assert probing.next_probe_s == 3 + RETRY_S


def test_a_refusal_counts_at_once_and_is_asked_about_less_and_less_often() -> None:
    """Up to a limit; an answer begins again."""
    probing = ready_probing()
    delays: list[float] = []
    now_s = 1.0
    for _ in range(12):
        probing.begin(now_s)
        probing.refused(now_s, "The key is wrong.")
        assert (probing.state, probing.failure) == (REFUSED, "The key is wrong.")
        delays.append(probing.next_probe_s - now_s)
        now_s = probing.next_probe_s
    assert delays == [1, 2, 4, 8, 16, *[MAX_REFUSED_INTERVAL_S] * 7]
    probing.begin(now_s)
    probing.ready(now_s)
    assert probing.state is READY
    probing.begin(now_s + 1)
    probing.refused(now_s + 1, "The key is wrong.")
    assert probing.next_probe_s == now_s + 2


def test_a_report_brings_the_next_probe_forward_but_not_without_limit() -> None:
    """A thousand failed requests in a moment cause one probe; a node that refuses this gglib gets no more of them."""
    probing = ready_probing()
    probing.hurry(0.5)
    assert probing.next_probe_s == 0.5
    probing.begin(0.5)
    for _ in range(1000):
        probing.hurry(0.51)
    assert probing.next_probe_s == 0.5 + MIN_GAP_S
    probing.begin(1)
    probing.refused(1, "The key is wrong.")
    probing.hurry(1.5)
    assert probing.next_probe_s == 2


def test_a_report_during_a_probe_is_followed_by_another_probe() -> None:
    """The answer may be older than what is reported."""
    probing = ready_probing()
    probing.begin(1)
    probing.hurry(1.05)
    probing.ready(1.2)
    assert probing.next_probe_s == 1 + MIN_GAP_S
    probing.begin(1.2)
    probing.ready(1.3)
    assert probing.next_probe_s == 1.2 + PROBE_INTERVAL_S


def test_the_first_falls_have_no_consequence() -> None:
    """A node that is restarted twice within a minute is used as soon as it answers."""
    probing = ready_probing()
    for number in range(FREE_FALLS):
        fall_and_return(probing, 2 + number * 3)
        assert probing.state is READY


def test_a_flapping_node_has_to_answer_for_a_while() -> None:
    """Longer and longer; a failure begins the while again."""
    probing = ready_probing()
    now_s = 1.0
    holds: list[float] = []
    for _ in range(FREE_FALLS + 8):
        fail(probing, now_s)
        fail(probing, now_s + 0.125)
        since_s = now_s = now_s + 0.25
        while probing.state is not READY:
            probing.begin(now_s)
            probing.ready(now_s)
            now_s += 0.5
        holds.append(now_s - 0.5 - since_s)
    assert holds[: FREE_FALLS + 3] == pytest.approx(
        [*[0] * FREE_FALLS, FIRST_HOLD_S, 2 * FIRST_HOLD_S, 4 * FIRST_HOLD_S]
    )
    assert max(holds) <= MAX_HOLD_S


def test_a_damped_node_says_so_and_a_failure_begins_its_time_again() -> None:
    """It is down meanwhile."""
    probing = ready_probing()
    for number in range(FREE_FALLS + 1):
        fall_and_return(probing, 1 + number * 2)
    at_s = 1 + FREE_FALLS * 2 + 1.0  # the time of its last answer
    assert probing.state is DOWN
    assert probing.failure == (
        "It failed 3 times within a minute: it gets requests again after 2 s without a failure."
    )
    fail(probing, at_s + 1)
    probing.begin(at_s + 1.5)
    probing.ready(at_s + 1.5)
    probing.begin(at_s + 2.5)
    probing.ready(at_s + 2.5)
    assert probing.state is DOWN
    probing.begin(at_s + 3.5)
    probing.ready(at_s + 3.5)
    assert probing.state is READY


def test_falls_are_forgotten_after_a_while() -> None:
    """Ten falls in ten minutes are none of them damped."""
    probing = ready_probing()
    for number in range(10):
        fall_and_return(probing, 5 + number * FLAP_WINDOW_S)
        assert probing.state is READY


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("ready", "failed", "refused", "draining", "starting", "hurry")), st.floats(0, 2)
        ),
        max_size=60,
    )
)
def test_the_next_probe_is_never_before_now_or_far_away(steps: list[tuple[str, float]]) -> None:
    """Whatever happens: neither a busy loop nor a node that is forgotten."""
    probing = PeerProbing(0)
    now_s = 0.0
    for kind, took_s in steps:
        now_s = max(now_s, probing.next_probe_s)
        probing.begin(now_s)
        started_s, now_s = now_s, now_s + took_s
        if kind == "failed":
            probing.failed(now_s, "It failed.")
        elif kind == "refused":
            probing.refused(now_s, "It refused.")
        elif kind == "ready":
            probing.ready(now_s)
        elif kind == "draining":
            probing.draining()
        elif kind == "starting":
            probing.starting("It starts.")
        probing.hurry(now_s)
        assert started_s + MIN_GAP_S <= probing.next_probe_s <= now_s + MAX_REFUSED_INTERVAL_S
        assert (probing.state is READY) <= (not probing.is_drained)
