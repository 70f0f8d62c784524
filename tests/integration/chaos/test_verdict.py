"""The verdicts of the chaos tests accept no faulty response."""

import json

import pytest

from .verdict import Ask, Heard, Kind, judge

ASK = Ask(number=7, model="quick", chunks=2)
CODES = frozenset({"upstream_error"})
STREAM_HEAD = {"content-type": "text/event-stream"}
DONE = b"data: [DONE]\n\n"


def chunk(piece: str | None, *, model: str = "quick", finish: str | None = None) -> bytes:
    """Return one event of a stream."""
    choice = {"finish_reason": finish, "index": 0, "delta": {} if piece is None else {"content": piece}}
    return b"data: " + json.dumps({"choices": [choice], "model": model}).encode() + b"\n\n"


def error(code: str | None = "upstream_error") -> bytes:
    """Return the body of an error."""
    fields = {"message": "m", "type": "t", "param": None, "code": code}
    return json.dumps({"error": fields}).encode()


def event(body: bytes) -> bytes:
    """Return an error as an event."""
    return b"data: " + body + b"\n\n"


FIRST, SECOND, STOP = chunk("7:0 "), chunk("7:1 "), chunk(None, finish="stop")


def kind_of(body: bytes, *, status: int = 200, is_whole: bool = True, ask: Ask = ASK) -> Kind:
    """Return the kind of outcome of a response."""
    headers = STREAM_HEAD if status == 200 and ask.is_stream else {"content-type": "application/json"}
    heard = Heard(status=status, headers=headers, body=bytearray(body), is_whole=is_whole)
    return judge(ask, heard, CODES).kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (FIRST + SECOND + STOP + DONE, Kind.ANSWERED),
        (b":\n\n" + FIRST + b":\n\n" + SECOND + STOP + DONE, Kind.ANSWERED),
        (FIRST + event(error()), Kind.CUT),
        (event(error()), Kind.CUT),
        (FIRST + SECOND[:20] + b"\n\n" + event(error()), Kind.CUT),
    ],
)
def test_what_a_stream_may_be(body: bytes, kind: Kind) -> None:
    """Either the whole response with [DONE], or a part with one error."""
    assert kind_of(body) is kind


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(FIRST, id="a part and a clean end"),
        pytest.param(FIRST + SECOND + STOP, id="all but [DONE]"),
        pytest.param(FIRST + STOP + DONE, id="a piece is missing at the end"),
        pytest.param(SECOND + STOP + DONE, id="a piece is missing at the start"),
        pytest.param(SECOND + FIRST + STOP + DONE, id="out of order"),
        pytest.param(FIRST + FIRST + SECOND + STOP + DONE, id="a piece twice"),
        pytest.param(FIRST + chunk("8:1 ") + STOP + DONE, id="a piece of another request"),
        pytest.param(FIRST + chunk("7:1 ", model="slow") + STOP + DONE, id="another model"),
        pytest.param(FIRST + SECOND + DONE, id="no word on why it ended"),
        pytest.param(FIRST + event(error()) + DONE, id="an error and [DONE]"),
        pytest.param(FIRST + event(error()) + event(error()), id="two errors"),
        pytest.param(FIRST + event(error()) + SECOND + STOP + DONE, id="an error in the middle"),
        pytest.param(
            FIRST[:20] + b"\n\n" + SECOND + event(error()), id="a broken event that is not the last"
        ),
        pytest.param(FIRST + event(error(None)), id="no code"),
        pytest.param(FIRST + event(error("internal_error")), id="an internal error"),
        pytest.param(b"id: 1\n" + FIRST + SECOND + STOP + DONE, id="an id"),
        pytest.param(FIRST + event(error())[:-1], id="an event that is not finished"),
    ],
)
def test_what_a_stream_may_not_be(body: bytes) -> None:
    """Anything else is a fault."""
    assert kind_of(body) is Kind.WRONG


def test_what_an_error_may_be() -> None:
    """A status that matches an expected code, in the common format, with a proper end."""
    assert kind_of(error(), status=502) is Kind.REFUSED
    assert kind_of(error(), status=500) is Kind.WRONG
    assert kind_of(error(None), status=502) is Kind.WRONG
    assert kind_of(error("internal_error"), status=500) is Kind.WRONG
    assert kind_of(b'{"error":{"message":"m","code":"upstream_error"}}', status=502) is Kind.WRONG
    assert kind_of(error(), status=502, is_whole=False) is Kind.WRONG


def test_a_load_that_fails_must_say_what_a_retry_is_worth() -> None:
    """The error has Retry-After, or says that a retry never helps."""

    def kind(**advice: str) -> Kind:
        headers = {"content-type": "application/json", **advice}
        heard = Heard(500, headers, bytearray(error("model_load_failed")), is_whole=True)
        return judge(ASK, heard, frozenset({"model_load_failed"})).kind

    assert kind(**{"retry-after": "1"}) is Kind.REFUSED
    assert kind(**{"x-should-retry": "false"}) is Kind.REFUSED
    assert kind() is Kind.WRONG


def test_an_answer_that_is_not_streamed_must_be_whole_and_its_own() -> None:
    """The complete text, from the requested model."""
    ask = Ask(number=7, model="quick", chunks=2, is_stream=False)

    def answer(text: str, model: str = "quick") -> bytes:
        return json.dumps({"model": model, "choices": [{"message": {"content": text}}]}).encode()

    assert kind_of(answer("7:0 7:1 "), ask=ask) is Kind.ANSWERED
    assert kind_of(answer("7:0 "), ask=ask) is Kind.WRONG
    assert kind_of(answer("7:0 7:1 ", "slow"), ask=ask) is Kind.WRONG
    assert kind_of(answer("7:0 7:1 "), ask=ask, is_whole=False) is Kind.WRONG


def test_silence_and_lateness_are_faults_but_leaving_is_none() -> None:
    """The response of a client that disconnected is not judged."""
    assert judge(ASK, Heard(), CODES).kind is Kind.WRONG
    assert judge(ASK, Heard(is_late=True), CODES).kind is Kind.WRONG
    assert judge(ASK, Heard(has_left=True), CODES).kind is Kind.LEFT
