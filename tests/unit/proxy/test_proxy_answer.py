"""An answer's moves: what may follow what, and how a failure is told in each state."""

import json

import pytest

from gglib.core.errors import UpstreamError
from gglib.proxy.answer import Answer, AnswerState
from gglib.proxy.asgi import Message

PLAIN = [(b"content-type", b"application/json")]
STREAM = [(b"content-type", b"text/event-stream")]


class Wire:
    """A ``send`` that keeps what it is given; ``fails_with``, when set, is raised instead."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.fails_with: BaseException | None = None

    async def __call__(self, message: Message) -> None:
        if self.fails_with is not None:
            raise self.fails_with
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        """All parts of the body."""
        return b"".join(message.get("body", b"") for message in self.sent)


def an_answer(*, may_keep_alive: bool = True) -> tuple[Answer, Wire]:
    """Return an answer and its wire."""
    wire = Wire()
    return Answer(wire, request_id="r-1", may_keep_alive=may_keep_alive), wire


async def test_head_parts_and_end_follow_one_another() -> None:
    """A head, parts and a last part are sent in this order; the head has the request's id."""
    answer, wire = an_answer()
    await answer.start(201, PLAIN)
    await answer.write(b"a")
    await answer.write(b"b", is_last=True)
    assert wire.sent == [
        {"type": "http.response.start", "status": 201, "headers": [*PLAIN, (b"x-request-id", b"r-1")]},
        {"type": "http.response.body", "body": b"a", "more_body": True},
        {"type": "http.response.body", "body": b"b", "more_body": False},
    ]
    assert (answer.status, answer.is_ended) == (201, True)


async def test_illegal_moves_raise_and_send_nothing() -> None:
    """No part before the head, no second head, nothing after the end."""
    answer, wire = an_answer()
    with pytest.raises(RuntimeError, match="not started takes no part"):
        await answer.write(b"x")
    await answer.start(200, PLAIN)
    with pytest.raises(RuntimeError, match="started takes no head"):
        await answer.start(200, PLAIN)
    await answer.write(b"", is_last=True)
    for is_last in (False, True):
        with pytest.raises(RuntimeError, match="ended takes no"):
            await answer.write(b"x", is_last=is_last)
    assert len(wire.sent) == 2


async def test_send_that_was_cut_short_counts_as_not_sent() -> None:
    """When sending is interrupted the state stays as it was, so that the error can still be told."""
    answer, wire = an_answer()
    wire.fails_with = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        await answer.start(200, STREAM)
    assert (answer.state, answer.status) == (AnswerState.NOT_STARTED, None)
    wire.fails_with = None
    await answer.start(200, STREAM)
    wire.fails_with = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        await answer.write(b"data: par")
    wire.fails_with = None
    await answer.fail(UpstreamError("gone"))
    assert wire.body.startswith(b'data: {"error"')


async def test_failure_before_the_head_is_a_status() -> None:
    """Nothing was sent: the failure is a whole answer of its own."""
    answer, wire = an_answer()
    await answer.fail(UpstreamError("gone"))
    assert (answer.status, answer.is_ended) == (502, True)
    assert json.loads(wire.body)["error"]["message"] == "gone"
    assert (b"content-length", str(len(wire.body)).encode()) in wire.sent[0]["headers"]


async def test_failure_in_a_stream_is_an_event() -> None:
    """In a stream the failure is its last event, apart from what was begun."""
    answer, wire = an_answer()
    await answer.start(200, STREAM)
    await answer.write(b"data: par")
    await answer.fail(UpstreamError("gone"))
    assert wire.body.startswith(b'data: par\n\ndata: {"error":{"message":"gone"')
    assert wire.sent[-1]["more_body"] is False


async def test_failure_in_another_body_is_no_end() -> None:
    """In any other body nothing more is sent, so that nobody takes it for whole."""
    answer, wire = an_answer()
    await answer.start(200, PLAIN)
    await answer.fail(UpstreamError("gone"))
    assert (len(wire.sent), answer.is_ended) == (1, False)


async def test_failure_after_the_end_changes_nothing() -> None:
    """An answer that was given is given."""
    answer, wire = an_answer()
    await answer.send_json({"a": 1})
    await answer.fail(UpstreamError("gone"))
    assert wire.body == b'{"a":1}'


@pytest.mark.parametrize("may_keep_alive", [True, False])
async def test_first_heartbeat_is_the_head_of_a_stream(may_keep_alive: bool) -> None:  # noqa: FBT001
    """The first beat decides the status; only a client that keeps its connection is told to."""
    answer, wire = an_answer(may_keep_alive=may_keep_alive)
    await answer.beat()
    await answer.beat()
    named = dict(wire.sent[0]["headers"])
    assert (wire.sent[0]["status"], wire.body) == (200, b":\n\n:\n\n")
    assert named.get(b"connection") == (b"keep-alive" if may_keep_alive else None)
    assert named[b"cache-control"] == b"no-cache"
