"""Error events in an engine's stream are found at every segmentation, without false positives."""

import asyncio
import json
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gglib.proxy.dialects.engine_errors import SIZE_LIMIT_BYTES
from gglib.proxy.dialects.error_events import ErrorEventDetector, ends_with_content_event
from gglib.proxy.errors import ContextLengthExceededError, EngineError
from gglib.proxy.relay.event_relay import EventRelay
from gglib.proxy.response import Response
from gglib.proxy.token_usage import TAIL_BYTES

if TYPE_CHECKING:
    from gglib.http.server.transport import ResponseTransport

DATA_ERROR = (
    b'data: {"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}\n\n'
)
NAMED_ERROR = (
    b'event: error\ndata: {"code":500,"message":"Context size has been exceeded.","type":"server_error"}\n\n'
)
ERRORS = (
    DATA_ERROR,
    NAMED_ERROR,
    DATA_ERROR.replace(b"\n", b"\r\n"),
    NAMED_ERROR.replace(b"\n", b"\r\n"),
    b'data:{"error":{"message":"Context size has been exceeded."}}\n\n',
    b'event:error\ndata:{"type":"error","error":{"message":"Context size has been exceeded."}}\n\n',
)


def chunk(text: str) -> bytes:
    """Return an event with a model's text."""
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


HARMLESS = (
    chunk("an error"),
    chunk('data: {"error":{"message":"x"}}\n\n'),
    chunk("event: error\n\ndata: {}"),
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"event: error"}}\n\n',
    b'data: {"error":null,"choices":[]}\n\n',
    b'data: {"error":"a string"}\n\n',
    b'event: errors\ndata: {"message":"x"}\n\n',
    b'data: {"errors":{"message":"x"}}\n\n',
    b": error\n\n",
    b"data: [DONE]\n\n",
    b":\n\n",
    b"\r\n",
    b"data: half a line with error",
)


class Recorder:
    """A transport that records what is written."""

    date_line = b""
    can_keep_alive = True
    is_write_paused = False
    peer_host = server_host = None

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        """Record the part."""
        self.written += data


def is_handed_on(part: bytes) -> bool:
    """Whether a part that begins a line is forwarded at once: as one chunk, and counted, in every place."""
    transport = Recorder()
    answer = Response(cast("ResponseTransport", transport), method="POST", minor_version=1, request_id="r")
    asyncio.run(answer.start(200, [(b"content-type", b"text/event-stream")]))
    transport.written = b""
    relay = EventRelay(answer)
    frame = b"%x\r\n%b\r\n" % (len(part), part) if part else b""
    is_taken = [relay.try_write(part) for _ in range(3)]
    assert transport.written == frame * 3 * is_taken[0]
    assert answer.tail == (part * 3 * is_taken[0])[-TAIL_BYTES:]
    assert answer.chunks == 3 * is_taken[0]
    assert len(set(is_taken)) == 1
    transport.is_write_paused = True
    assert not relay.try_write(part)
    return is_taken[0]


def run(parts: list[bytes]) -> tuple[bytes, EngineError | None]:
    """Feed a stream in parts; return what was relayed, up to the error if there was one."""
    watch, relayed = ErrorEventDetector(), b""
    for part in parts:
        out, error = watch.feed(part)
        relayed += out
        if error is not None:
            return relayed, error
    out, error = watch.finish()
    return relayed + out, error


def cut(text: bytes, at: list[int]) -> list[bytes]:
    """Return ``text`` in parts, cut at those of the given positions that lie inside it."""
    places = sorted({0, len(text), *(place % (len(text) + 1) for place in at)})
    return [text[begin:end] for begin, end in pairwise(places)]


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@pytest.mark.parametrize("event", ERRORS)
def test_error_is_found_at_every_split(event: bytes) -> None:
    """What precedes the error is relayed whole, and no byte of the error, for each position of one split."""
    before = chunk("a") + chunk("error")
    stream = before + event
    for place in range(len(stream) + 1):
        relayed, error = run([stream[:place], stream[place:]])
        assert relayed == before
        assert isinstance(error, ContextLengthExceededError)


@given(before=st.lists(st.sampled_from(HARMLESS[:-1]), max_size=6), event=st.sampled_from(ERRORS), at=CUTS)
def test_error_is_found_after_any_events_and_splits(before: list[bytes], event: bytes, at: list[int]) -> None:
    """Neither the model's text nor the segmentation hides an error, or fakes one."""
    stream = b"".join(before)
    relayed, error = run(cut(stream + event + b"data: [DONE]\n\n", at))
    assert relayed == stream
    assert isinstance(error, ContextLengthExceededError)


@given(events=st.lists(st.sampled_from(HARMLESS), max_size=8), at=CUTS)
@example(events=[b'data: {"error":'], at=[])
@example(events=[b"event: error\n"], at=[3])
def test_stream_without_error_is_relayed_unchanged(events: list[bytes], at: list[int]) -> None:
    """Nothing is added, lost or reordered, at any segmentation and any early end."""
    stream = b"".join(events)
    assert run(cut(stream, at)) == (stream, None)


@given(text=st.text(alphabet='dataevn: rro{}"\\\r\n[]', max_size=60), at=CUTS)
def test_partial_markers_are_relayed(text: str, at: list[int]) -> None:
    """A stream that consists of beginnings of the markers keeps its bytes."""
    stream = text.encode()
    relayed, error = run(cut(stream, at))
    assert error is None
    assert relayed == stream


def test_whole_lines_are_relayed_at_once() -> None:
    """A complete line is never delayed; only a possible beginning of an error is buffered."""
    watch = ErrorEventDetector()
    for part, now in (
        (chunk("error"), chunk("error")),
        (b'data: {"choices":[', b'data: {"choices":['),
        (b'"error"]}\n\n', b'"error"]}\n\n'),
        (b"data: ", b""),
        (b'{"choices":[]}\n\n', b'data: {"choices":[]}\n\n'),
    ):
        assert watch.feed(part) == (now, None)
    assert watch.is_at_line_start


def test_overlong_error_event_is_relayed() -> None:
    """An event that begins like an error and does not end is buffered up to the maximum length of an error."""
    watch = ErrorEventDetector()
    begun = b'data: {"error":{"message":"'
    longest = begun + b"x" * (SIZE_LIMIT_BYTES - len(begun))
    assert watch.feed(begun) == (b"", None)
    assert watch.feed(longest[len(begun) :]) == (b"", None)
    assert watch.feed(b"x") == (longest + b"x", None)
    assert not watch.is_at_line_start


def test_error_without_final_newline_is_found() -> None:
    """An engine may close the stream right after its error."""
    for event in ERRORS:
        for end in (b"", b"\n"):
            relayed, error = run([event.rstrip(b"\r\n") + end])
            assert (relayed, type(error)) == (b"", ContextLengthExceededError)


@pytest.mark.parametrize(
    "part",
    [
        b'data: {"choices":[{"delta":{"content":"error"}}]}\n\n',
        b'data: {"choices":[]}\n\n' * 40,
        b'data: {"choices":[]}\n\n' * 80,
        b'data: {"choices":[]}\n\n' * 200,
        b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{}}\n\n',
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta"}\n\n',
        b'data: {"index":0,"content":"x"}\n\n',
        b'data: {"choices":[]}\n',
        b'data: {"choices":[]}\n\ndata: [DONE]\n\n',
    ],
)
def test_events_of_a_response_are_content(part: bytes) -> None:
    """They are relayed with a check of their last line only."""
    assert ends_with_content_event(part)
    assert is_handed_on(part)
    assert ends_with_content_event(b"data: [DONE]\n\n")


@pytest.mark.parametrize("event", ERRORS)
@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"data: [DONE]\n\n",
        b":\n\n",
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        b"data: {",
    ],
)
def test_content_ends_at_the_error(event: bytes, rest: bytes) -> None:
    """Whatever an engine sends after an error is dropped: a partial line, nothing at all, or half an event."""
    for before in (
        b"",
        b'data: {"choices":[]}\n\n',
        b'data: {"choices":[]}\r\n\r\n',
        b'data: {"choices":[]}\n\n' * 80,
        b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{}}\n\n',
    ):
        for part in (before + event + rest, before + event[:-3]):
            assert not ends_with_content_event(part)
            assert not is_handed_on(part)
    for part in (b'data: {"choices":[', b"", b"\n", b'event: content_block_delta\ndata: {"type"'):
        assert not ends_with_content_event(part)
        assert is_handed_on(part) is (part == b"")
