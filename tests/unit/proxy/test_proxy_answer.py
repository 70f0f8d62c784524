"""An answer's moves: what may follow what, and how a failure is told in each state."""

import json
from collections.abc import Awaitable, Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.errors import UpstreamError
from gglib.proxy.answer import MOVES, Answer, AnswerEvent, AnswerState
from gglib.proxy.token_usage import TAIL_BYTES

PLAIN = [(b"content-type", b"application/json")]
STREAM = [(b"content-type", b"text/event-stream")]
EVENT = b'data: {"choices":[]}\n\n'


class FakeWire:
    """A connection that keeps what it is given; ``fails_with``, when set, is raised where it waits for the client."""

    date_line = b"date: today\r\n"
    peer_host = own_host = None

    def __init__(self, *, can_keep_alive: bool = True) -> None:
        self.sent: list[bytes] = []
        self.can_keep_alive = can_keep_alive
        self.may_keep_alive: bool | None = None
        self.fails_with: BaseException | None = None

    @property
    def is_choked(self) -> bool:
        """Whether a write has to wait."""
        return self.fails_with is not None

    async def room(self) -> None:
        """Fail."""
        assert self.fails_with is not None
        raise self.fails_with

    def write(self, data: bytes) -> None:
        """Keep what is sent."""
        self.sent.append(data)

    def end(self, *, may_keep_alive: bool) -> None:
        """Keep how it ended."""
        self.may_keep_alive = may_keep_alive

    @property
    def head(self) -> bytes:
        """The head as it was sent."""
        return b"".join(self.sent).partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        """All parts of the body, framing and all."""
        return b"".join(self.sent).partition(b"\r\n\r\n")[2]


def an_answer(*, can_keep_alive: bool = True) -> tuple[Answer, FakeWire]:
    """Return an answer and its wire."""
    wire = FakeWire(can_keep_alive=can_keep_alive)
    return Answer(wire, method="POST", minor_version=1, request_id="r-1"), wire


async def cut(answer: Answer) -> None:
    """Cut it, in whatever state it is."""
    answer._cut()


async def offer(answer: Answer, *, is_last: bool) -> None:
    """Offer a part."""
    assert answer.offer(EVENT, is_last=is_last)


async def offer_events(answer: Answer, *, is_last: bool) -> None:
    """Offer a part of an event stream."""
    assert answer.offer_events(EVENT, is_last=is_last)


WAYS: dict[AnswerEvent, list[Callable[[Answer], Awaitable[None]]]] = {
    AnswerEvent.HEAD: [lambda answer: answer.start(200, STREAM)],
    AnswerEvent.WHOLE: [lambda answer: answer.send({}), lambda answer: answer.send_body(b"{}")],
    AnswerEvent.PART: [
        lambda answer: answer.write(EVENT),
        lambda answer: offer(answer, is_last=False),
        lambda answer: offer_events(answer, is_last=False),
    ],
    AnswerEvent.LAST_PART: [
        lambda answer: answer.write(EVENT, is_last=True),
        lambda answer: offer(answer, is_last=True),
        lambda answer: offer_events(answer, is_last=True),
    ],
    AnswerEvent.CUT: [cut],
}
"""All methods that send each event."""


async def bring_to(answer: Answer, state: AnswerState) -> None:
    """Make the moves that lead to a state."""
    if state in {AnswerState.STARTED, AnswerState.CUT}:
        await answer.start(200, PLAIN)
        await answer.write(b"x")
    if state is AnswerState.CUT:
        await answer.fail(UpstreamError("gone"))
    elif state is AnswerState.ENDED:
        await answer.send({})
    assert answer.state is state


@pytest.mark.parametrize(
    ("state", "event", "number"),
    [
        (state, event, number)
        for state, event in product(AnswerState, WAYS)
        for number in range(len(WAYS[event]))
    ],
)
async def test_an_answer_moves_as_its_table_says(state: AnswerState, event: AnswerEvent, number: int) -> None:
    """Each way to send each event in each state: the table's move, or an error and nothing sent."""
    answer, wire = an_answer()
    await bring_to(answer, state)
    sent, way = len(wire.sent), WAYS[event][number]
    if (state, event) in MOVES:
        await way(answer)
        assert answer.state is MOVES[state, event]
    else:
        with pytest.raises(RuntimeError, match=f"{state.value} takes no {event.value}"):
            await way(answer)
        assert (answer.state, len(wire.sent)) == (state, sent)


@pytest.mark.parametrize("state", AnswerState)
async def test_a_heartbeat_is_a_head_and_a_part(state: AnswerState) -> None:
    """A heartbeat is a part wherever a part is legal; before the head it sends one first."""
    answer, wire = an_answer()
    await bring_to(answer, state)
    sent = len(wire.sent)
    if state in {AnswerState.NOT_STARTED, AnswerState.STARTED}:
        await answer.beat()
        assert answer.state is AnswerState.STARTED
    else:
        with pytest.raises(RuntimeError, match="takes no part"):
            await answer.beat()
        assert (answer.state, len(wire.sent)) == (state, sent)


async def test_head_parts_and_end_follow_one_another() -> None:
    """A head, parts and a last part are sent in this order; the head has the request's id."""
    answer, wire = an_answer()
    await answer.start(201, PLAIN)
    await answer.write(b"a")
    await answer.write(b"b", is_last=True)
    assert wire.head.split(b"\r\n") == [
        b"HTTP/1.1 201 Created",
        b"date: today",
        b"content-type: application/json",
        b"x-request-id: r-1",
        b"transfer-encoding: chunked",
    ]
    assert wire.sent[1:] == [b"1\r\na\r\n", b"1\r\nb\r\n0\r\n\r\n"]
    assert wire.may_keep_alive is True
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


async def test_a_part_that_is_offered_is_sent_at_once_or_not_at_all() -> None:
    """What is offered is a part like any other; a client that is slow to read is not sent it, nor is it counted."""
    answer, wire = an_answer()
    await answer.start(200, STREAM)
    assert answer.offer(b"data: 1\n\n")
    wire.fails_with = KeyboardInterrupt()
    assert not answer.offer(b"data: 2\n\n")
    wire.fails_with = None
    await answer.write(b"data: 3\n\n", is_last=True)
    assert wire.sent[1:] == [b"9\r\ndata: 1\n\n\r\n", b"9\r\ndata: 3\n\n\r\n0\r\n\r\n"]
    assert (answer.chunks, answer.tail) == (2, b"data: 1\n\ndata: 3\n\n")
    assert answer.began_s is not None


async def test_nothing_may_be_offered_before_the_head_or_after_the_end() -> None:
    """An illegal offer raises, sends nothing and counts nothing."""
    answer, wire = an_answer()
    with pytest.raises(RuntimeError, match="not started takes no part"):
        answer.offer(b"x")
    await answer.start(200, PLAIN, length=1)
    with pytest.raises(RuntimeError, match="longer than its content-length"):
        answer.offer(b"xy")
    answer, wire = an_answer()
    await answer.send({})
    with pytest.raises(RuntimeError, match="ended takes no part"):
        answer.offer(b"x")
    assert (len(wire.sent), answer.chunks, answer.tail) == (1, 1, b"{}")


@given(
    sizes=st.lists(
        st.one_of(st.integers(1, 300), st.integers(TAIL_BYTES - 2, TAIL_BYTES + 2), st.just(3 * TAIL_BYTES)),
        max_size=40,
    )
)
async def test_the_tail_is_the_last_bytes_of_all_parts(sizes: list[int]) -> None:
    """However a body comes, its tail is the same, and not much more than that is kept of it."""
    answer, _ = an_answer()
    await answer.start(200, STREAM)
    body = b""
    for number, size in enumerate(sizes):
        part = bytes((number,)) * (size // 2) + bytes((number + 100,)) * (size - size // 2)
        body += part
        if number % 2:
            await answer.write(part)
        else:
            answer.offer(part)
        assert answer.tail == body[-TAIL_BYTES:]
        assert sum(map(len, answer._older_parts + answer._parts)) < 3 * TAIL_BYTES


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
    assert wire.body.partition(b"\r\n")[2].startswith(b'data: {"error"')


async def test_failure_before_the_head_is_a_status() -> None:
    """Nothing was sent: the failure is a whole answer of its own."""
    answer, wire = an_answer()
    await answer.fail(UpstreamError("gone"))
    assert (answer.status, answer.is_ended) == (502, True)
    assert json.loads(wire.body)["error"]["message"] == "gone"
    assert b"content-length: %d" % len(wire.body) in wire.head


async def test_failure_in_a_stream_is_an_event() -> None:
    """In a stream the failure is its last event, apart from what was begun."""
    answer, wire = an_answer()
    await answer.start(200, STREAM)
    await answer.write(b"data: par")
    await answer.fail(UpstreamError("gone"))
    assert wire.sent[1] == b"9\r\ndata: par\r\n"
    assert wire.sent[2].partition(b"\r\n")[2].startswith(b'\n\ndata: {"error":{"message":"gone"')
    assert wire.sent[2].endswith(b"\n\n\r\n0\r\n\r\n")


async def test_failure_in_another_body_is_no_end() -> None:
    """In any other body nothing more is sent, so that nobody takes it for whole."""
    answer, wire = an_answer()
    await answer.start(200, PLAIN)
    await answer.fail(UpstreamError("gone"))
    assert (len(wire.sent), answer.is_ended) == (1, False)
    assert answer.is_started
    await answer.fail(UpstreamError("gone"))
    with pytest.raises(RuntimeError, match="cut takes no part"):
        await answer.write(b"{}")
    assert (len(wire.sent), wire.may_keep_alive) == (1, None)


async def test_failure_after_the_end_changes_nothing() -> None:
    """An answer that was given is given."""
    answer, wire = an_answer()
    await answer.send({"a": 1})
    await answer.fail(UpstreamError("gone"))
    assert wire.body == b'{"a":1}'


@pytest.mark.parametrize("can_keep_alive", [True, False])
async def test_first_heartbeat_is_the_head_of_a_stream(can_keep_alive: bool) -> None:  # noqa: FBT001
    """The first beat decides the status; only a client that keeps its connection is told to."""
    answer, wire = an_answer(can_keep_alive=can_keep_alive)
    await answer.beat()
    await answer.beat()
    assert (answer.status, wire.body) == (200, b"3\r\n:\n\n\r\n" * 2)
    lines = wire.head.split(b"\r\n")
    assert (b"connection: keep-alive" if can_keep_alive else b"connection: close") in lines
    assert b"cache-control: no-cache" in lines
