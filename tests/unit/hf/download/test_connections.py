"""How many connections a download uses, and what each brings."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.hf.download.byte_ranges import Span, Spans
from gglib.hf.download.connections import LaneLimits, LanePolicy, next_piece

MB = 1_000_000
LIMITS = LaneLimits(most_lanes=8, measure_s=1.0, settle_s=0.5, worth_trying_s=4.0, try_again_s=30.0)


def drive(policy: LanePolicy, rate_of: list[float], *, seconds: int, missing: int) -> list[int]:
    """Return how many lanes there were at each tenth of a second, with ``rate_of[lanes]`` bytes in a second."""
    come, lanes = 0.0, []
    for tick in range(seconds * 10):
        lanes.append(policy.look(tick / 10, int(come), missing))
        come += rate_of[lanes[-1]] / 10
    return lanes


def test_a_server_that_limits_each_connection_gets_as_many_as_are_allowed() -> None:
    """Twice as many each time, within seconds."""
    lanes = drive(LanePolicy(LIMITS), [n * MB for n in range(9)], seconds=8, missing=1000 * MB)
    assert sorted(set(lanes)) == [1, 2, 4, 8]
    assert lanes[60] == 8


def test_a_line_that_is_full_with_one_connection_keeps_one() -> None:
    """The second one brings nothing and is not kept; it is tried again only much later, and then later still."""
    lanes = drive(LanePolicy(LIMITS), [10 * MB] * 9, seconds=120, missing=10_000 * MB)
    assert lanes[0] == lanes[29] == 1
    trials = [at for at in range(1, len(lanes)) if (lanes[at - 1], lanes[at]) == (1, 2)]
    assert len(trials) == 3
    assert trials[2] - trials[1] > trials[1] - trials[0] > 300
    assert lanes.count(2) < 60


def test_more_lanes_that_bring_a_little_are_not_worth_it() -> None:
    """What counts is 15 % and more."""
    lanes = drive(LanePolicy(LIMITS), [0, 10 * MB, 20 * MB, *[22 * MB] * 6], seconds=20, missing=1000 * MB)
    assert lanes[-1] == 2


def test_what_is_soon_over_by_itself_is_left_alone() -> None:
    """No second connection for the last seconds."""
    assert set(drive(LanePolicy(LIMITS), [n * MB for n in range(9)], seconds=8, missing=3 * MB)) == {1}


def test_a_number_that_the_server_refused_is_not_tried_again() -> None:
    """``only`` holds for the rest of the download."""
    policy = LanePolicy(LIMITS)
    policy.only(1)
    assert set(drive(policy, [n * MB for n in range(9)], seconds=60, missing=10_000 * MB)) == {1}


def test_a_refused_connection_is_tried_again_only_later() -> None:
    """And what was measured for it is forgotten."""
    policy = LanePolicy(LIMITS)
    assert drive(policy, [n * MB for n in range(9)], seconds=2, missing=1000 * MB)[-1] == 2
    policy.refused(2.0, 1)
    assert policy.look(3.0, 0, 1000 * MB) == 1
    assert policy.look(5.0, 3 * MB, 1000 * MB) == 1
    assert policy.look(33.0, 30 * MB, 1000 * MB) == 1
    assert policy.look(35.0, 33 * MB, 1000 * MB) == 2


def test_nothing_that_comes_is_no_reason_for_more() -> None:
    """A stalled server gets no second connection."""
    assert set(drive(LanePolicy(LIMITS), [0.0] * 9, seconds=8, missing=1000 * MB)) == {1}


@pytest.mark.parametrize(
    ("gaps", "taken", "expected"),
    [
        (((0, 100),), (), (0, 100)),
        (((0, 100),), ((0, 50),), (50, 100)),
        (((0, 100), (200, 300)), ((0, 100),), (200, 300)),
        (((0, 64 << 20),), ((0, 64 << 20),), (32 << 20, 64 << 20)),
        (((0, 64 << 20),), ((1 << 20, 3 << 20), (3 << 20, 64 << 20)), (0, 1 << 20)),
        (((5, 1000),), ((5, 1000),), None),
        ((), (), None),
    ],
)
def test_the_next_piece_is_what_nobody_brings_else_half_of_the_largest_rest(
    gaps: tuple[Span, ...], taken: tuple[Span, ...], expected: Span | None
) -> None:
    """None where half of the largest is too small for a connection of its own."""
    assert next_piece(gaps, taken, 4 << 20) == expected


@given(st.integers(1, 100), st.data())
def test_lanes_bring_each_byte_once(size: int, data: st.DataObject) -> None:
    """However pieces are handed out, fail and are handed out again: what is taken is missing, and taken by one."""
    blocks, here, lanes = size * 65_536, Spans(), dict[int, list[int]]()
    for step in range(200):
        taken = tuple((at, end) for at, end in lanes.values())
        piece = next_piece(here.gaps(blocks), taken, 65_536)
        if piece is not None and len(lanes) < 4:
            for lane in lanes.values():
                if lane[0] < piece[0] < lane[1]:
                    lane[1] = piece[0]
            lanes[step] = list(piece)
        spans = sorted((at, end) for at, end in lanes.values())
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
        if not lanes:
            break
        number = data.draw(st.sampled_from(sorted(lanes)))
        at, end = lanes[number]
        assert not any(start < end and at < last for start, last in here)
        moved = min(end, at + data.draw(st.integers(0, 4)) * 65_536)
        here = here.plus(at, moved) if moved > at else here
        lanes[number][0] = moved
        if moved == end or data.draw(st.booleans()):
            del lanes[number]  # done, or lost
    else:
        return
    assert here.spans == ((0, blocks),)
