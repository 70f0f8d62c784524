"""The common part of stream translators: events, comments, errors and the end, however the stream is split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .numbers_dialect import NumberLines

STREAM = b':\n\ndata: {"n": 1}\n\ndata: {"n": 22}\n\ndata: {"last": true}\n\ndata: [DONE]\n\n'


def translate(parts: list[bytes]) -> tuple[bytes, str | None]:
    """Return the translation of a whole stream and the message of its error."""
    stream, output = NumberLines(), b""
    for part in parts:
        translated = stream.feed(part)
        output += translated.output
        if translated.error is not None:
            return output, str(translated.error)
    rest, error = stream.finish()
    return output + rest, None if error is None else str(error)


@given(st.sets(st.integers(4, len(STREAM) - 1)))
def test_translation_does_not_depend_on_the_split(positions: set[int]) -> None:
    """Events are translated when they are complete, wherever the parts begin and end."""
    borders = [0, *sorted(positions), len(STREAM)]
    parts = [STREAM[start:end] for start, end in pairwise(borders)]
    output, error = translate(parts)
    assert (output.replace(b"\n", b" ").split(), error) == ([b"1", b"22", b"end"], None)


def test_comment_of_the_engine_becomes_a_heartbeat() -> None:
    """llama-server sends comments while it reads a long prompt; a dialect has its own form of them."""
    stream = NumberLines()
    assert stream.feed(b":\n\n").output == b"\n"
    assert stream.feed(b'data: {"n": 1}\n\n').output == b"1\n"
    assert not stream.feed(b'data: {"n": ').output


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error": {"code": 500, "message": "broke", "type": "server_error"}}\n\n',
        b'event: error\ndata: {"code": 500, "message": "broke", "type": "server_error"}\n\n',
    ],
)
def test_error_event_ends_the_stream_after_the_content_before_it(event: bytes) -> None:
    """Both forms of the engine's error events; content in the same part is still translated."""
    assert translate([b'data: {"n": 1}\n\n' + event + b'data: {"n": 2}\n\n']) == (b"1\n", "broke")


def test_stream_without_its_last_event_is_an_error() -> None:
    """A cleanly closed but truncated stream must not look complete to the client."""
    assert translate([b'data: {"n": 1}\n\n']) == (b"1\n", "The engine ended its response early.")
    error = NumberLines().finish().error
    assert error is not None
    assert (error.status, error.is_retryable) == (502, True)


@pytest.mark.parametrize("data", [b"not json", b"[1]", b"7", b"[" * 100_000])
def test_data_that_is_no_object_is_skipped(data: bytes) -> None:
    """Such an event is not the engine's; the stream goes on."""
    assert translate([b"data: " + data + b'\n\ndata: {"n": 1}\n\ndata: {"last": true}\n\n']) == (
        b"1\nend\n",
        None,
    )


def test_comment_in_server_sent_events_by_default() -> None:
    """Dialects with server-sent events need not override it."""
    assert super(NumberLines, NumberLines()).heartbeat() == b":\n\n"
    assert super(NumberLines, NumberLines()).end() == b""
