"""The rules of a key's limits, for any sequence of arrivals and ends."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from gglib.core.api_keys import KeyLimits
from gglib.proxy.limits.key_meter import KeyMeter, LimitName
from gglib.proxy.limits.window import WINDOW_S

TICK_S = 1 / 1024


@dataclass
class Run:
    """One sequence, and what was admitted in it."""

    meter: KeyMeter
    now_s: float = 1.0
    admitted: list[float] = field(default_factory=list)
    running: list[tuple[float, int]] = field(default_factory=list)
    ended: list[tuple[float, int]] = field(default_factory=list)

    def arrive(self, tokens: int) -> bool:
        """Admit a request with an estimate, or return False."""
        if self.meter.check(self.now_s, tokens) is not None:
            return False
        self.meter.begin(self.now_s, tokens)
        self.admitted.append(self.now_s)
        self.running.append((self.now_s, tokens))
        return True

    def end(self, index: int, share: int) -> None:
        """End a request with a share of its estimate, in eighths."""
        if self.running:
            started_s, reserved = self.running.pop(index % len(self.running))
            used = reserved * share // 8
            self.meter.end(self.now_s, reserved, prompt=used, completion=0, duration_s=self.now_s - started_s)
            self.ended.append((self.now_s, used))


LIMITS = st.builds(
    KeyLimits,
    rpm=st.none() | st.integers(1, 6),
    tpm=st.none() | st.integers(1, 400),
    parallel=st.none() | st.integers(1, 4),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1024, 10_240, 30_720, 61_440]),
        st.booleans(),
        st.integers(0, 120),
        st.integers(0, 8),
    ),
    max_size=60,
)


@given(LIMITS, STEPS)
def test_limits_hold(limits: KeyLimits, steps: list[tuple[int, bool, int, int]]) -> None:
    """No window has more than ``rpm`` admissions, and no moment more than ``parallel`` requests in progress.

    A window has at most ``tpm`` tokens where no estimate was too low, unless one request needs more.
    """
    run = Run(KeyMeter("alice", limits))
    for ticks, is_arrival, tokens, share in steps:
        run.now_s += ticks * TICK_S
        if is_arrival:
            run.arrive(tokens)
        else:
            run.end(tokens, share)
        assert len(run.running) <= (limits.parallel or len(run.running))
    for start_s in run.admitted:
        in_window = [at_s for at_s in run.admitted if start_s <= at_s < start_s + WINDOW_S]
        assert len(in_window) <= (limits.rpm or len(in_window))
    for start_s, _ in run.ended:
        used = [number for at_s, number in run.ended if start_s <= at_s < start_s + WINDOW_S and number]
        assert limits.tpm is None or sum(used) <= limits.tpm or len(used) == 1


@given(LIMITS, STEPS, st.integers(0, 500))
def test_a_request_is_admitted_after_the_wait(
    limits: KeyLimits, steps: list[tuple[int, bool, int, int]], tokens: int
) -> None:
    """As soon as it is over, if no other request came and those in progress have ended before."""
    run = Run(KeyMeter("alice", limits))
    for ticks, is_arrival, size, share in steps:
        run.now_s += ticks * TICK_S
        if is_arrival:
            run.arrive(size)
        else:
            run.end(size, share)
    while run.running:
        run.end(0, 8)
    excess = run.meter.check(run.now_s, tokens)
    if excess is not None:
        assert 0 < excess.wait_s <= WINDOW_S
        assert run.meter.check(run.now_s + excess.wait_s * 0.999 - 0.002, tokens) is not None
        run.now_s += excess.wait_s
        assert run.arrive(tokens)


@given(LIMITS, STEPS)
def test_what_is_reserved_is_released(limits: KeyLimits, steps: list[tuple[int, bool, int, int]]) -> None:
    """After the last request nothing is reserved or in progress, and a minute later nothing is used."""
    run = Run(KeyMeter("alice", limits))
    for ticks, is_arrival, tokens, share in steps:
        run.now_s += ticks * TICK_S
        if is_arrival:
            run.arrive(tokens)
        else:
            run.end(tokens, share)
    while run.running:
        run.end(0, 3)
    use = run.meter.use(run.now_s)
    assert (use.running, use.reserved_tokens) == (0, 0)
    assert use.requests_reset_s <= WINDOW_S
    after = run.meter.use(run.now_s + WINDOW_S)
    assert (after.requests, after.tokens, after.requests_reset_s, after.tokens_reset_s) == (0, 0, 0, 0)


def test_refusals_do_not_count() -> None:
    """A client that goes on sending is admitted as soon as one that waits."""
    run = Run(KeyMeter("alice", KeyLimits(rpm=2)))
    assert [run.arrive(0) for _ in range(50)].count(True) == 2
    run.now_s += WINDOW_S - TICK_S
    assert not run.arrive(0)
    run.now_s += TICK_S
    assert [run.arrive(0) for _ in range(50)].count(True) == 2


def test_a_request_above_the_limit_runs_alone() -> None:
    """Not while another one runs, nor while tokens are used."""
    run = Run(KeyMeter("alice", KeyLimits(tpm=100)))
    assert run.arrive(40)
    excess = run.meter.check(run.now_s, 5000)
    assert excess is not None
    assert (excess.name, excess.limit, excess.used) == (LimitName.TPM, 100, 40)
    run.end(0, 8)
    assert not run.arrive(5000)
    run.now_s += WINDOW_S
    assert run.arrive(5000)
    assert not run.arrive(1)


def test_the_truth_replaces_the_estimate() -> None:
    """Also one that is larger than the estimate."""
    run = Run(KeyMeter("alice", KeyLimits(tpm=100)))
    assert run.arrive(60)
    assert not run.arrive(60)
    run.end(0, 1)
    assert run.arrive(60)
    run.meter.end(run.now_s, 60, prompt=20, completion=300, duration_s=1.0)
    use = run.meter.use(run.now_s)
    assert (use.tokens, use.reserved_tokens) == (327, 0)
    assert not run.arrive(0)


def test_completions_are_estimated_by_the_recent_ones() -> None:
    """At first 256; requests that generate nothing do not count."""
    meter = KeyMeter("alice", KeyLimits(tpm=10_000))
    assert meter.completion_estimate == 256
    for _ in range(40):
        meter.begin(0.0, 0)
        meter.end(0.0, 0, prompt=5, completion=10, duration_s=1.0)
    assert 10 <= meter.completion_estimate <= 11
    meter.begin(0.0, 0)
    meter.end(0.0, 0, prompt=5, completion=None, duration_s=1.0)
    assert 10 <= meter.completion_estimate <= 11


def test_the_wait_for_a_running_request_is_the_average_duration() -> None:
    """Between a millisecond and a minute."""
    meter = KeyMeter("alice", KeyLimits(parallel=1))
    waits = []
    for duration_s in (3.0, 0.0, 900.0):
        for _ in range(60):
            meter.begin(0.0, 0)
            meter.end(0.0, 0, prompt=0, completion=0, duration_s=duration_s)
        meter.begin(0.0, 0)
        excess = meter.check(0.0, 0)
        assert excess is not None
        assert excess.name is LimitName.PARALLEL
        waits.append(excess.wait_s)
        meter.end(0.0, 0, prompt=0, completion=0, duration_s=duration_s)
    assert [round(wait_s, 3) for wait_s in waits] == [3.0, 0.001, 60.0]


def test_the_longest_wait_is_reported() -> None:
    """A client that waits for a slot only to be refused again would be misled."""
    run = Run(KeyMeter("alice", KeyLimits(rpm=1, parallel=1)))
    assert run.arrive(0)
    excess = run.meter.check(run.now_s, 0)
    assert excess is not None
    assert (excess.name, excess.wait_s) == (LimitName.RPM, WINDOW_S)


def test_limits_are_replaced_and_use_stays() -> None:
    """A lower limit applies at once, a higher one admits what is left of it."""
    run = Run(KeyMeter("alice", KeyLimits(rpm=3)))
    assert all(run.arrive(0) for _ in range(3))
    run.meter.limits = KeyLimits(rpm=1)
    excess = run.meter.check(run.now_s, 0)
    assert excess is not None
    assert (excess.limit, excess.used) == (1, 3)
    run.meter.limits = KeyLimits(rpm=4)
    assert run.arrive(0)
    assert not run.arrive(0)


def test_the_limit_of_tokens_is_inclusive() -> None:
    """The last token may be used."""
    run = Run(KeyMeter("alice", KeyLimits(tpm=100)))
    assert run.arrive(40)
    assert not run.arrive(61)
    assert run.arrive(60)
    excess = run.meter.check(run.now_s, 1)
    assert excess is not None
    assert (excess.used, excess.wait_s) == (100, 1.0)  # those in progress take about a second
