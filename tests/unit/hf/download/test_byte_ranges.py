"""Which bytes of a file are here."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gglib.hf.download.byte_ranges import Span, Spans

SIZE = 60
spans_in_file = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), max_size=8)


def bytes_of(spans: list[Span]) -> set[int]:
    """Return the bytes, one by one."""
    return {at for start, end in spans for at in range(start, end)}


@given(spans_in_file)
def test_it_holds_the_bytes_that_were_put_in_and_as_few_spans_as_that_takes(spans: list[Span]) -> None:
    """Whatever order they come in and however they overlap; no two spans touch."""
    kept = Spans.of(spans)
    assert bytes_of(list(kept)) == bytes_of(spans)
    assert kept.size_bytes == len(bytes_of(spans))
    assert all(one[1] < other[0] for one, other in itertools.pairwise(kept.spans))


@given(spans_in_file)
def test_growing_piece_by_piece_is_the_same_as_all_at_once(spans: list[Span]) -> None:
    """Also by the short way for a last span that grows."""
    grown = Spans()
    for start, end in spans:
        if start < end:
            grown = grown.plus(start, end)
    assert grown == Spans.of(spans)


@given(spans_in_file, st.integers(0, SIZE), st.integers(0, SIZE))
def test_what_is_here_and_what_is_missing_make_up_the_file(spans: list[Span], first: int, last: int) -> None:
    """Of any part of it: holes and spans do not overlap, and leave nothing out."""
    holes = Spans.of(spans).holes((first, last))
    assert bytes_of(list(holes)) == set(range(first, last)) - bytes_of(spans)
    assert Spans.of(spans).gaps(SIZE) == Spans.of(spans).holes((0, SIZE))


@given(spans_in_file)
def test_the_prefix_ends_at_the_first_missing_byte(spans: list[Span]) -> None:
    """And is empty where the first byte is missing."""
    missing = set(range(SIZE + 1)) - bytes_of(spans)
    assert Spans.of(spans).prefix_bytes == min(missing)
