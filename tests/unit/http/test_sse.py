"""What an event of ours begins with, wherever the stream broke off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.sse import HEARTBEAT, error_event
from gglib.http.sse import separator as separator_after


@pytest.mark.parametrize(
    ("relayed", "separator"),
    [
        (b"", b""),
        (b"data: 1\n\n", b""),
        (b"data: 1\r\n\r\n", b""),
        (b"data: 1\r\r", b""),
        (b"data: 1\n\r\n", b""),
        (b":\n\n", b""),
        (b"data: 1\n", b"\n"),
        (b"data: 1\r\n", b"\n"),
        (b"data: 1\r", b"\n\n"),
        (b"data: 1", b"\n\n"),
        (b"d", b"\n\n"),
        (b"data: 1\n\nx", b"\n\n"),
    ],
)
def test_separator_ends_the_event_that_broke_off(relayed: bytes, separator: bytes) -> None:
    """Between two events nothing is needed, after a line one line end, inside a line two."""
    assert separator_after(relayed) == separator


@given(st.text("a:\r\n").map(str.encode))
def test_after_the_separator_the_stream_stands_between_two_events(relayed: bytes) -> None:
    """However a stream breaks off, after its separator none is needed."""
    assert separator_after(relayed + separator_after(relayed)) == b""


def test_own_bytes_are_whole_events() -> None:
    """A heartbeat is a comment and an error one event of one line; neither has an id or a retry."""
    assert HEARTBEAT == b":\n\n"
    assert error_event(b'{"error":{}}') == b'data: {"error":{}}\n\n'
