"""The common part of stream translators."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.dialects.event_translator import EventTranslator
from gglib.proxy.errors import EngineError


class Echo(EventTranslator):
    """Returns the name of each event; ``stop`` completes the stream, ``fail`` ends it with an error."""

    def __init__(self) -> None:
        super().__init__()
        self.has_stopped = False

    @property
    def is_complete(self) -> bool:
        """Whether the event ``stop`` has arrived."""
        return self.has_stopped

    def translate(self, name: str, content: dict[str, object]) -> bytes:
        """Return the name and the number of an event."""
        self.has_stopped = self.has_stopped or name == "stop"
        if name == "fail":
            raise EngineError("it failed", status=502, type_="upstream_error")
        return f"{name}{content.get('n', 0)},".encode()


BODY = b'data: {"n":1}\n\nevent: x\ndata: {"n":2}\r\n\r\ndata: [DONE]\n\nevent: stop\ndata: {}\n\n'
WHOLE = b"message1,x2,stop0,"


@given(st.sets(st.integers(0, len(BODY))))
def test_events_split_anywhere(cuts: set[int]) -> None:
    """The output is the same."""
    ends = sorted(cuts | {len(BODY)})
    translator, output = Echo(), b""
    for start, end in zip([0, *ends], ends, strict=False):
        if start < end:
            output += translator.feed(BODY[start:end]).output
    assert output == WHOLE
    assert translator.finish() == (b"", None)


def test_comments_become_heartbeats() -> None:
    """Between events only: a colon inside of one is no comment."""
    translator = Echo()
    assert translator.feed(b":\n\n").output == b":\n\n"
    assert translator.feed(b"data").output == b""
    assert translator.feed(b': {"n":1}').output == b""
    assert translator.feed(b"\n\n:\n\n").output == b"message1,"


def test_unreadable_events_are_skipped() -> None:
    """What is no JSON object has no translation."""
    assert Echo().feed(b"data: {\n\ndata: [1]\n\ndata: " + b"[" * 5000 + b"\n\n").output == b""


@pytest.mark.parametrize(
    "event", [b"event: fail\ndata: {}\n\n", b'data: {"error":{"message":"it failed"}}\n\n']
)
def test_errors_end_the_stream(event: bytes) -> None:
    """After the output of earlier events; nothing of later ones."""
    translated = Echo().feed(BODY + event + BODY)
    assert translated.output == WHOLE
    assert str(translated.error) == "it failed"


def test_a_stream_without_its_end() -> None:
    """Is an error that the client may retry."""
    output, error = Echo().finish()
    assert output == b""
    assert error is not None
    assert (error.status, error.is_retryable) == (502, True)
