"""The bytes that a Range header selects, checked against RFC 9110."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.testing.local_hub.ranges import (
    Span,
    UnsatisfiableError,
    content_range,
    matches_if_range,
    read_range,
)


@given(start=st.integers(0, 50), end=st.integers(0, 50), size=st.integers(0, 40))
def test_a_range_selects_what_a_slice_does(start: int, end: int, size: int) -> None:
    """First and last byte, both included, as far as the file goes; all of it where last is before first."""
    data = bytes(range(size))
    try:
        span = read_range(f"bytes={start}-{end}", size)
    except UnsatisfiableError:
        assert start >= size
        return
    if end < start:
        assert span is None
    else:
        assert span is not None
        assert data[span.start : span.end] == data[start : end + 1] != b""


@given(wanted=st.integers(1, 60), size=st.integers(1, 40))
def test_a_suffix_selects_the_last_bytes(wanted: int, size: int) -> None:
    """The given number of bytes from the end, or all of a shorter file."""
    data = bytes(range(size))
    span = read_range(f"bytes=-{wanted}", size)
    assert span is not None
    assert data[span.start : span.end] == data[-wanted:]


@pytest.mark.parametrize(
    "text", [None, "", "bytes", "bytes=-", "lines=1-2", "bytes=1-2,4-5", "bytes=a-b", "bytes=5-2"]
)
def test_invalid_range_selects_the_whole_file(text: str | None) -> None:
    """A header of another form is ignored."""
    assert read_range(text, 10) is None


@pytest.mark.parametrize(
    ("text", "size"), [("bytes=10-", 10), ("bytes=0-", 0), ("bytes=-0", 10), ("bytes=-5", 0)]
)
def test_range_behind_the_end_is_refused(text: str, size: int) -> None:
    """A part without a byte is refused."""
    with pytest.raises(UnsatisfiableError):
        read_range(text, size)


def test_if_range_requires_the_same_file() -> None:
    """A strong tag or the date must be equal; without the header every file matches."""
    validators = {"etag": '"a"', "last_modified": "Fri, 02 Jan 2026 03:04:05 GMT"}
    assert matches_if_range(None, **validators)
    assert matches_if_range('"a"', **validators)
    assert matches_if_range(validators["last_modified"], **validators)
    assert not matches_if_range('W/"a"', **validators)
    assert not matches_if_range('"b"', **validators)


def test_content_range_has_the_last_byte() -> None:
    """The header names the last byte, not the one behind it."""
    assert content_range(Span(0, 5), 10) == "bytes 0-4/10"
