"""The number of connections of a download, and the bytes that each fetches."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.hf.download.byte_ranges import ByteRange, ByteRanges
from gglib.hf.download.connections import ConnectionLimits, ConnectionPolicy, next_segment

MB = 1_000_000
LIMITS = ConnectionLimits(max_connections=8, measure_s=1.0, warmup_s=0.5, min_remaining_s=4.0, retry_s=30.0)


def drive(policy: ConnectionPolicy, rate_of: list[float], *, seconds: int, missing: int) -> list[int]:
    """Return the number of connections at each tenth of a second, at ``rate_of[connections]`` bytes per second."""
    come, connections = 0.0, []
    for tick in range(seconds * 10):
        connections.append(policy.update(tick / 10, int(come), missing))
        come += rate_of[connections[-1]] / 10
    return connections


def test_per_connection_limit_gets_the_allowed_connections() -> None:
    """The number doubles each time, within seconds."""
    connections = drive(ConnectionPolicy(LIMITS), [n * MB for n in range(9)], seconds=8, missing=1000 * MB)
    assert sorted(set(connections)) == [1, 2, 4, 8]
    assert connections[60] == 8


def test_line_saturated_by_one_connection_keeps_one() -> None:
    """A second connection without gain is dropped; it is retried much later, and then later still."""
    connections = drive(ConnectionPolicy(LIMITS), [10 * MB] * 9, seconds=120, missing=10_000 * MB)
    assert connections[0] == connections[29] == 1
    trials = [at for at in range(1, len(connections)) if (connections[at - 1], connections[at]) == (1, 2)]
    assert len(trials) == 3
    assert trials[2] - trials[1] > trials[1] - trials[0] > 300
    assert connections.count(2) < 60


def test_small_gain_is_ignored() -> None:
    """A gain of less than 15 % is ignored."""
    connections = drive(
        ConnectionPolicy(LIMITS), [0, 10 * MB, 20 * MB, *[22 * MB] * 6], seconds=20, missing=1000 * MB
    )
    assert connections[-1] == 2


def test_nearly_complete_download_gets_no_second_connection() -> None:
    """No second connection for the last seconds."""
    assert set(drive(ConnectionPolicy(LIMITS), [n * MB for n in range(9)], seconds=8, missing=3 * MB)) == {1}


def test_refused_number_is_not_tried_again() -> None:
    """``limit_to`` applies for the rest of the download."""
    policy = ConnectionPolicy(LIMITS)
    policy.limit_to(1)
    assert set(drive(policy, [n * MB for n in range(9)], seconds=60, missing=10_000 * MB)) == {1}


def test_refused_connection_is_retried_later() -> None:
    """The measurement in progress is discarded."""
    policy = ConnectionPolicy(LIMITS)
    assert drive(policy, [n * MB for n in range(9)], seconds=2, missing=1000 * MB)[-1] == 2
    policy.back_off(2.0, 1)
    assert policy.update(3.0, 0, 1000 * MB) == 1
    assert policy.update(5.0, 3 * MB, 1000 * MB) == 1
    assert policy.update(33.0, 30 * MB, 1000 * MB) == 1
    assert policy.update(35.0, 33 * MB, 1000 * MB) == 2


def test_stalled_server_gets_no_second_connection() -> None:
    """A stalled server gets no second connection."""
    assert set(drive(ConnectionPolicy(LIMITS), [0.0] * 9, seconds=8, missing=1000 * MB)) == {1}


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
def test_next_segment_is_unassigned_or_half_of_the_largest_rest(
    gaps: tuple[ByteRange, ...], taken: tuple[ByteRange, ...], expected: ByteRange | None
) -> None:
    """None where half of the largest is too small for a connection of its own."""
    assert next_segment(gaps, taken, 4 << 20) == expected


@given(st.integers(1, 100), st.data())
def test_each_byte_is_assigned_once(size: int, data: st.DataObject) -> None:
    """After any sequence of assignments and failures, assigned ranges are missing and do not overlap."""
    blocks, here, connections = size * 65_536, ByteRanges(), dict[int, list[int]]()
    for step in range(200):
        taken = tuple((at, end) for at, end in connections.values())
        piece = next_segment(here.missing(blocks), taken, 65_536)
        if piece is not None and len(connections) < 4:
            for connection in connections.values():
                if connection[0] < piece[0] < connection[1]:
                    connection[1] = piece[0]
            connections[step] = list(piece)
        assigned = sorted((at, end) for at, end in connections.values())
        assert all(previous[1] <= other[0] for previous, other in itertools.pairwise(assigned))
        if not connections:
            break
        number = data.draw(st.sampled_from(sorted(connections)))
        at, end = connections[number]
        assert not any(start < end and at < last for start, last in here)
        moved = min(end, at + data.draw(st.integers(0, 4)) * 65_536)
        here = here.adding(at, moved) if moved > at else here
        connections[number][0] = moved
        if moved == end or data.draw(st.booleans()):
            del connections[number]  # done, or lost
    else:
        return
    assert here.ranges == ((0, blocks),)
