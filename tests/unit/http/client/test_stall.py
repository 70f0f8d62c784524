"""When the stall timer expires, and what resets it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.client.stall import SseCommentFilter, StallTimer
from gglib.http.errors import StallError, StallPhase

LINE_ENDS = ("\n", "\r", "\r\n")
WORD = b"data: x\n\n"
COMMENT = b":\n\n"


def stall_timer(*, first_byte_s: float = 10, chunk_gap_s: float = 3) -> StallTimer:
    """Return a timer that starts at 0."""
    new = StallTimer(first_byte_s=first_byte_s, chunk_gap_s=chunk_gap_s)
    new.start(0)
    return new


def test_first_byte_s_applies_until_the_response_has_begun() -> None:
    """The timer expires after ``first_byte_s`` without content."""
    timer = stall_timer()
    assert not timer.is_expired(9.9)
    assert timer.is_expired(10)
    assert str(timer.error()) == "The server accepted the request but sent nothing for 10 s."


def test_chunk_gap_s_applies_after_content() -> None:
    """From the moment a task waits again."""
    timer = stall_timer(chunk_gap_s=2.5)
    timer.record_part(WORD, None)
    assert not timer.is_expired(100)
    timer.start(100)
    assert not timer.is_expired(102.4)
    assert timer.is_expired(102.5)
    error = timer.error()
    assert str(error) == "The server stopped in the middle of its response: sent nothing for 2.5 s."
    assert (type(error), error.phase) == (StallError, StallPhase.BODY)


def test_content_that_wakes_no_task_restarts_the_timer() -> None:
    """From the time of the content, without another ``start``."""
    timer = stall_timer()
    timer.pause(2)
    timer.start(3)
    timer.record_part(WORD, 7)
    assert timer.is_running
    assert not timer.is_expired(9.9)
    assert timer.is_expired(10)


@pytest.mark.parametrize("now_s", [None, 9])
def test_comments_do_not_reset_the_timer(now_s: float | None) -> None:
    """Neither the head of a stream nor its comments begin the response or reset the timer."""
    timer = stall_timer()
    timer.record_head(is_event_stream=True)
    timer.record_part(COMMENT, now_s)
    assert not timer.is_expired(9.9)
    assert timer.is_expired(10)
    timer.record_part(WORD, 20)
    timer.record_part(COMMENT, now_s)
    assert not timer.is_expired(22.9)
    assert timer.is_expired(23)


def test_a_comment_after_a_reset_restarts_the_timer() -> None:
    """The task still waits although the reset stopped the timer."""
    timer = stall_timer()
    timer.record_head(is_event_stream=True)
    timer.reset()
    timer.record_part(COMMENT, 5)
    assert not timer.is_expired(14.9)
    assert timer.is_expired(15)


def test_the_head_of_other_responses_begins_the_response() -> None:
    """Without an event stream a colon in the body is no comment."""
    timer = stall_timer()
    timer.pause(2)
    timer.record_head(is_event_stream=False)
    timer.start(5)
    assert not timer.is_expired(7.9)
    assert timer.is_expired(8)
    timer.record_part(COMMENT, 8)
    assert not timer.is_expired(10.9)
    assert timer.is_expired(11)


def test_paused_time_does_not_count() -> None:
    """Time between ``pause`` and ``start`` does not count; time before it does."""
    timer = stall_timer()
    timer.pause(6)
    assert not timer.is_expired(1000)
    timer.pause(1000)
    timer.start(2000)
    assert not timer.is_expired(2003.9)
    assert timer.is_expired(2004)


def test_a_reset_does_not_begin_the_response() -> None:
    """A server that reads a long request makes progress, and its response has still not begun."""
    timer = stall_timer()
    timer.pause(9)
    timer.start(9)
    timer.reset()
    timer.start(9)
    assert not timer.is_expired(18.9)
    assert timer.is_expired(19)
    assert "sent nothing" in str(timer.error())


def test_a_line_that_continues_is_no_comment() -> None:
    """A part may end inside a line, and the next part may begin with a colon."""
    timer = stall_timer()
    timer.record_head(is_event_stream=True)
    timer.record_part(b"da", 1)
    timer.record_part(b": x\n", 3)
    assert not timer.is_expired(5.9)
    assert timer.is_expired(6)


@pytest.mark.parametrize("has_begun", [False, True])
def test_zero_disables_a_limit(has_begun: bool) -> None:  # noqa: FBT001 - a case
    """Each limit by itself."""
    first_byte_s, chunk_gap_s = (3, 0) if has_begun else (0, 3)
    timer = stall_timer(first_byte_s=first_byte_s, chunk_gap_s=chunk_gap_s)
    if has_begun:
        timer.record_part(WORD, 0)
    assert not timer.is_expired(1e9)
    assert timer.next_check_s(1e9) == (None if has_begun else 3)


@pytest.mark.parametrize(
    ("first_byte_s", "chunk_gap_s", "now_s", "expected_s"),
    [(10, 3, 0, 3), (10, 3, 9, 1), (2, 3, 0, 2), (10, 0, 4, 6), (0, 3, 50, 3), (0, 0, 0, None)],
)
def test_the_next_check_is_soon_enough_for_either_limit(
    first_byte_s: float, chunk_gap_s: float, now_s: float, expected_s: float | None
) -> None:
    """A check at that time misses no expiry, whether or not the response begins meanwhile."""
    assert stall_timer(first_byte_s=first_byte_s, chunk_gap_s=chunk_gap_s).next_check_s(now_s) == expected_s


@given(
    limits=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["start", "pause", "reset", "begin", "comment", "word", "word on"]),
            st.integers(0, 5),
        ),
        max_size=30,
    ),
)
def test_scheduled_checks_detect_the_expiry(limits: tuple[int, int], steps: list[tuple[str, int]]) -> None:
    """No expiry lies before the next check, for any events at any times."""
    timer = StallTimer(first_byte_s=limits[0], chunk_gap_s=limits[1])
    look_at_s = timer.next_check_s(0)
    now_s = 0
    for action, duration_s in steps:
        match action:
            case "start" | "pause":
                getattr(timer, action)(now_s)
            case "begin":
                timer.record_head(is_event_stream=True)
            case "comment":
                timer.record_part(COMMENT, now_s)
            case "word" | "word on":
                timer.record_part(WORD, None if action == "word" else now_s)
            case _:
                timer.reset()
        for now_s in range(now_s, now_s + duration_s + 1):  # noqa: B020 - from there on
            assert look_at_s is not None
            if timer.is_expired(now_s):
                assert look_at_s <= now_s
                return
            if look_at_s <= now_s:
                next_check_s = timer.next_check_s(now_s)
                assert next_check_s is not None
                assert next_check_s > 0
                look_at_s = now_s + next_check_s


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b'data: {"a":1}\n\n'], [True]),
        ([b":\n\n"], [False]),
        ([b": keep-alive\r\n\r\n", b":\r\r"], [False, False]),
        ([b":\n\n:\n\n", b":\n\ndata: x\n\n"], [False, True]),
        ([b": in", b" two\n", b"\n", b"data: x\n"], [False, False, False, True]),
        ([b"da", b"ta", b": x", b"\n", b":\n\n"], [True, True, True, True, False]),
        ([b"data: x\r", b"\n\r\n", b":\n\n"], [True, False, False]),
        ([b"event: ping\ndata: {}\n\n"], [True]),
    ],
)
def test_a_part_with_only_comments_has_no_content(parts: list[bytes], expected: list[bool]) -> None:
    """Comments and empty lines are distinguished from events, wherever the parts are split."""
    sieve = SseCommentFilter()
    assert [sieve.has_content(part) for part in parts] == expected


@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(["", ":", ": hi", ":data: x", "data: :", "event"]), st.sampled_from(LINE_ENDS)
        ),
        max_size=8,
    ),
    cuts=st.sets(st.integers(1, 60)),
)
def test_content_is_a_line_that_is_no_comment(lines: list[tuple[str, str]], cuts: set[int]) -> None:
    """However a stream is split, a part has content if it has a byte of a line that is no comment."""
    kinds, stream = [], b""
    for line, end in lines:
        says = bool(line) and not line.startswith(":")
        # The end of a line belongs to it only where the line is not over yet: a lone LF after CR is an empty line.
        kinds += [says] * len(line) + [says] + [False] * (len(end) - 1)
        stream += (line + end).encode()
    sieve = SseCommentFilter()
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for begin, end_at in pairwise(places):
        if begin < end_at:
            assert sieve.has_content(stream[begin:end_at]) == any(kinds[begin:end_at])


def test_silence_is_the_time_without_content_in_which_a_task_waited() -> None:
    """Comments do not end it, content does."""
    timer = stall_timer()
    assert timer.silence_s(4) == 4
    timer.pause(4)
    assert timer.silence_s(100) == 4
    timer.start(100)
    timer.record_head(is_event_stream=True)
    timer.record_part(COMMENT, 101)
    assert timer.silence_s(102) == 6
    timer.record_part(WORD, 103)
    assert timer.silence_s(104) == 1
