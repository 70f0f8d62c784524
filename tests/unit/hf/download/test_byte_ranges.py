"""The stored byte ranges of a file."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gglib.hf.download.byte_ranges import ByteRange, ByteRanges

SIZE = 60
spans_in_file = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), max_size=8)


def bytes_of(spans: list[ByteRange]) -> set[int]:
    """Return the bytes, one by one."""
    return {at for start, end in spans for at in range(start, end)}


@given(spans_in_file)
def test_ranges_hold_the_added_bytes_in_minimal_form(spans: list[ByteRange]) -> None:
    """Ranges may come in any order and overlap; merged ranges are never adjacent."""
    kept = ByteRanges.of(spans)
    assert bytes_of(list(kept)) == bytes_of(spans)
    assert kept.size_bytes == len(bytes_of(spans))
    assert all(one[1] < other[0] for one, other in itertools.pairwise(kept.ranges))


@given(spans_in_file)
def test_growing_piece_by_piece_equals_all_at_once(spans: list[ByteRange]) -> None:
    """The fast path for a growing last range gives the same result."""
    grown = ByteRanges()
    for start, end in spans:
        if start < end:
            grown = grown.adding(start, end)
    assert grown == ByteRanges.of(spans)


@given(spans_in_file, st.integers(0, SIZE), st.integers(0, SIZE))
def test_ranges_and_gaps_partition_the_file(spans: list[ByteRange], first: int, last: int) -> None:
    """Gaps and ranges partition any part of the file."""
    holes = ByteRanges.of(spans).missing_in((first, last))
    assert bytes_of(list(holes)) == set(range(first, last)) - bytes_of(spans)
    assert ByteRanges.of(spans).missing(SIZE) == ByteRanges.of(spans).missing_in((0, SIZE))


@given(spans_in_file)
def test_prefix_ends_at_the_first_missing_byte(spans: list[ByteRange]) -> None:
    """The prefix is empty if the first byte is missing."""
    missing = set(range(SIZE + 1)) - bytes_of(spans)
    assert ByteRanges.of(spans).prefix_bytes == min(missing)
