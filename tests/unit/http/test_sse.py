"""How events are written after a truncated stream, and how they are parsed."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.sse import HEARTBEAT, SseEvent, SseReader, error_event, read_events
from gglib.http.sse import event_terminator as separator_after


@pytest.mark.parametrize(
    ("relayed", "event_terminator"),
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
def test_separator_ends_a_truncated_event(relayed: bytes, event_terminator: bytes) -> None:
    """Between two events nothing is needed, after a line one line end, inside a line two."""
    assert separator_after(relayed) == event_terminator


@given(st.text("a:\r\n").map(str.encode))
def test_after_the_separator_the_stream_is_between_two_events(relayed: bytes) -> None:
    """However a stream breaks off, after its ``event_terminator`` none is needed."""
    assert separator_after(relayed + separator_after(relayed)) == b""


def test_own_bytes_are_whole_events() -> None:
    """A heartbeat is a comment and an error one event of one line; neither has an id or a retry."""
    assert HEARTBEAT == b":\n\n"
    assert error_event(b'{"error":{}}') == b'data: {"error":{}}\n\n'
    assert error_event(b"{}", b"response.failed") == b"event: response.failed\ndata: {}\n\n"


STREAM = (
    b": a comment\n\n"
    b"event: loading\r\ndata: 1\r\n\r\n"
    b"data:2\ndata:  3\nid: x\n\n"
    b"event: nothing\n\n"
    b"data: 4\n\n"
    b"data: cut off"
)
EVENTS = [SseEvent("loading", b"1"), SseEvent("message", b"2\n 3"), SseEvent("message", b"4")]


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_are_parsed_at_any_split(cuts: list[int]) -> None:
    """Names, data of several lines and both line ends are parsed; comments and incomplete events are skipped."""
    bounds = [0, *sorted(cuts), len(STREAM)]
    parts = [STREAM[start:end] for start, end in pairwise(bounds)]
    assert list(read_events(parts)) == EVENTS


def test_an_event_is_yielded_with_its_end() -> None:
    """The event is returned as soon as its empty line is received."""
    reader = SseReader()
    assert list(reader.receive(b"data: 1\n")) == []
    assert list(reader.receive(b"\nda")) == [SseEvent("message", b"1")]
