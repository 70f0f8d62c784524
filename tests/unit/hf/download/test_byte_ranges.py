"""The stored byte ranges of a file."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gglib.hf.download.byte_ranges import ByteRange, ByteRanges

SIZE = 60
spans_in_file = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), max_size=8)


def bytes_of(ranges: list[ByteRange]) -> set[int]:
    """Return the bytes, one by one."""
    return {at for start, end in ranges for at in range(start, end)}


@given(spans_in_file)
def test_ranges_hold_the_added_bytes_in_minimal_form(ranges: list[ByteRange]) -> None:
    """Ranges may come in any order and overlap; merged ranges are never adjacent."""
    kept = ByteRanges.of(ranges)
    assert bytes_of(list(kept)) == bytes_of(ranges)
    assert kept.size_bytes == len(bytes_of(ranges))
    assert all(previous[1] < other[0] for previous, other in itertools.pairwise(kept.ranges))


@given(spans_in_file)
def test_growing_piece_by_piece_equals_all_at_once(ranges: list[ByteRange]) -> None:
    """The fast path for a growing last range gives the same result."""
    grown = ByteRanges()
    for start, end in ranges:
        if start < end:
            grown = grown.adding(start, end)
    assert grown == ByteRanges.of(ranges)


@given(spans_in_file, st.integers(0, SIZE), st.integers(0, SIZE))
def test_ranges_and_gaps_partition_the_file(ranges: list[ByteRange], first: int, last: int) -> None:
    """Gaps and ranges partition any part of the file."""
    holes = ByteRanges.of(ranges).missing_in((first, last))
    assert bytes_of(list(holes)) == set(range(first, last)) - bytes_of(ranges)
    assert ByteRanges.of(ranges).missing(SIZE) == ByteRanges.of(ranges).missing_in((0, SIZE))


@given(spans_in_file)
def test_prefix_ends_at_the_first_missing_byte(ranges: list[ByteRange]) -> None:
    """The prefix is empty if the first byte is missing."""
    missing = set(range(SIZE + 1)) - bytes_of(ranges)
    assert ByteRanges.of(ranges).prefix_bytes == min(missing)
