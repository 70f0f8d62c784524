"""What an event of ours begins with, wherever the stream broke off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.sse import HEARTBEAT, StreamTail, error_event


def tail_after(*parts: bytes) -> StreamTail:
    """Return a tail that was fed."""
    tail = StreamTail()
    for part in parts:
        tail.feed(part)
    return tail


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
    assert tail_after(relayed).separator() == separator


@given(st.lists(st.text("a:\r\n").map(str.encode)))
def test_how_the_stream_was_cut_does_not_matter(parts: list[bytes]) -> None:
    """The separator depends on the bytes alone, and after it the stream stands between two events."""
    whole = b"".join(parts)
    separator = tail_after(*parts).separator()
    assert separator == tail_after(whole).separator()
    assert tail_after(whole, separator).separator() == b""


def test_own_bytes_are_whole_events() -> None:
    """A heartbeat is a comment and an error one event of one line; neither has an id or a retry."""
    assert HEARTBEAT == b":\n\n"
    assert error_event(b'{"error":{}}') == b'data: {"error":{}}\n\n'
