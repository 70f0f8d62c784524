"""The response's state machine: legal transitions, and how a failure is sent in each state."""

import json
from collections.abc import Awaitable, Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.errors import UpstreamError
from gglib.proxy.dialects.errors import ANTHROPIC, OPENAI
from gglib.proxy.response import TRANSITIONS, Response, ResponseEvent, ResponseState
from gglib.proxy.token_usage import TAIL_BYTES

PLAIN = [(b"content-type", b"application/json")]
STREAM = [(b"content-type", b"text/event-stream")]
EVENT = b'data: {"choices":[]}\n\n'


class FakeTransport:
    """A transport that records what is written; ``fails_with``, when set, is raised by ``drain``."""

    date_line = b"date: today\r\n"
    peer_host: str | None = None
    server_host: str | None = None

    def __init__(self, *, can_keep_alive: bool = True) -> None:
        self.sent: list[bytes] = []
        self.can_keep_alive = can_keep_alive
        self.may_keep_alive: bool | None = None
        self.fails_with: BaseException | None = None

    @property
    def is_write_paused(self) -> bool:
        """Whether writes are paused."""
        return self.fails_with is not None

    async def drain(self) -> None:
        """Fail."""
        assert self.fails_with is not None
        raise self.fails_with

    def write(self, data: bytes) -> None:
        """Record the bytes."""
        self.sent.append(data)

    def end(self, *, may_keep_alive: bool) -> None:
        """Record how the response ended."""
        self.may_keep_alive = may_keep_alive

    @property
    def head(self) -> bytes:
        """The head as it was sent."""
        return b"".join(self.sent).partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        """All parts of the body, with their framing."""
        return b"".join(self.sent).partition(b"\r\n\r\n")[2]


def a_response(*, can_keep_alive: bool = True) -> tuple[Response, FakeTransport]:
    """Return a response and its transport."""
    transport = FakeTransport(can_keep_alive=can_keep_alive)
    return Response(transport, method="POST", minor_version=1, request_id="r-1"), transport


async def cut(response: Response) -> None:
    """Cut the response in any state."""
    response._abort()


async def try_write(response: Response, *, is_last: bool) -> None:
    """Offer a part."""
    assert response.try_write(EVENT, is_last=is_last)


async def try_write_events(response: Response, *, is_last: bool) -> None:
    """Offer a part of an event stream."""
    assert response.try_write_events(EVENT, is_last=is_last)


WAYS: dict[ResponseEvent, list[Callable[[Response], Awaitable[None]]]] = {
    ResponseEvent.HEAD: [lambda response: response.start(200, STREAM)],
    ResponseEvent.WHOLE: [lambda response: response.send({}), lambda response: response.send_body(b"{}", [])],
    ResponseEvent.PART: [
        lambda response: response.write(EVENT),
        lambda response: try_write(response, is_last=False),
        lambda response: try_write_events(response, is_last=False),
    ],
    ResponseEvent.LAST_PART: [
        lambda response: response.write(EVENT, is_last=True),
        lambda response: try_write(response, is_last=True),
        lambda response: try_write_events(response, is_last=True),
    ],
    ResponseEvent.ABORT: [cut],
}
"""All methods that send each event."""


async def bring_to(response: Response, state: ResponseState) -> None:
    """Bring a response to a state."""
    if state in {ResponseState.STARTED, ResponseState.ABORTED}:
        await response.start(200, PLAIN)
        await response.write(b"x")
    if state is ResponseState.ABORTED:
        await response.fail(UpstreamError("gone"))
    elif state is ResponseState.ENDED:
        await response.send({})
    assert response.state is state


async def test_the_request_id_has_the_header_of_the_dialect() -> None:
    """Once, although it is set before the request is handled and again for an error."""
    response, transport = a_response()
    await response.send({})
    assert transport.head.endswith(b"\r\nx-request-id: r-1\r\ncontent-length: 2")
    response, transport = a_response()
    response.set_request_id_header(OPENAI)
    response.set_request_id_header(ANTHROPIC)
    await response.fail(UpstreamError("gone"), ANTHROPIC)
    assert transport.head.count(b"\r\nrequest-id: r-1\r\nx-request-id: r-1") == 1
    assert transport.head.count(b"request-id") == 2


@pytest.mark.parametrize(
    ("state", "event", "number"),
    [
        (state, event, number)
        for state, event in product(ResponseState, WAYS)
        for number in range(len(WAYS[event]))
    ],
)
async def test_transitions_follow_the_table(state: ResponseState, event: ResponseEvent, number: int) -> None:
    """Each way to send each event in each state: the table's transition, or an error and nothing sent."""
    response, transport = a_response()
    await bring_to(response, state)
    sent, way = len(transport.sent), WAYS[event][number]
    if (state, event) in TRANSITIONS:
        await way(response)
        assert response.state is TRANSITIONS[state, event]
    else:
        with pytest.raises(RuntimeError, match=f"'{state.value}' cannot take the event '{event.value}'"):
            await way(response)
        assert (response.state, len(transport.sent)) == (state, sent)


@pytest.mark.parametrize("state", ResponseState)
async def test_heartbeat_is_a_part(state: ResponseState) -> None:
    """A heartbeat is a part wherever a part is legal; before the head it sends one first."""
    response, transport = a_response()
    await bring_to(response, state)
    sent = len(transport.sent)
    if state in {ResponseState.NOT_STARTED, ResponseState.STARTED}:
        await response.send_heartbeat()
        assert response.state is ResponseState.STARTED
    else:
        with pytest.raises(RuntimeError, match="cannot take the event 'part'"):
            await response.send_heartbeat()
        assert (response.state, len(transport.sent)) == (state, sent)


async def test_head_parts_and_end_are_sent_in_order() -> None:
    """A head, parts and a last part are sent in this order; the head has the request's id."""
    response, transport = a_response()
    await response.start(201, PLAIN)
    await response.write(b"a")
    await response.write(b"b", is_last=True)
    assert transport.head.split(b"\r\n") == [
        b"HTTP/1.1 201 Created",
        b"date: today",
        b"content-type: application/json",
        b"x-request-id: r-1",
        b"transfer-encoding: chunked",
    ]
    assert transport.sent[1:] == [b"1\r\na\r\n", b"1\r\nb\r\n0\r\n\r\n"]
    assert transport.may_keep_alive is True
    assert (response.status, response.is_ended) == (201, True)


async def test_illegal_transitions_raise_and_send_nothing() -> None:
    """No part before the head, no second head, nothing after the end."""
    response, transport = a_response()
    with pytest.raises(RuntimeError, match="'not started' cannot take the event 'part'"):
        await response.write(b"x")
    await response.start(200, PLAIN)
    with pytest.raises(RuntimeError, match="'started' cannot take the event 'head'"):
        await response.start(200, PLAIN)
    await response.write(b"", is_last=True)
    for is_last in (False, True):
        with pytest.raises(RuntimeError, match="'ended' cannot take the event"):
            await response.write(b"x", is_last=is_last)
    assert len(transport.sent) == 2


async def test_try_write_sends_the_whole_part_or_nothing() -> None:
    """An accepted part counts like any other; a paused write sends and counts nothing."""
    response, transport = a_response()
    await response.start(200, STREAM)
    assert response.try_write(b"data: 1\n\n")
    transport.fails_with = KeyboardInterrupt()
    assert not response.try_write(b"data: 2\n\n")
    transport.fails_with = None
    await response.write(b"data: 3\n\n", is_last=True)
    assert transport.sent[1:] == [b"9\r\ndata: 1\n\n\r\n", b"9\r\ndata: 3\n\n\r\n0\r\n\r\n"]
    assert (response.chunks, response.tail) == (2, b"data: 1\n\ndata: 3\n\n")
    assert response.first_byte_at_s is not None


async def test_try_write_before_head_or_after_end_raises() -> None:
    """An illegal ``try_write`` raises, sends nothing and counts nothing."""
    response, transport = a_response()
    with pytest.raises(RuntimeError, match="'not started' cannot take the event 'part'"):
        response.try_write(b"x")
    await response.start(200, PLAIN, length=1)
    with pytest.raises(RuntimeError, match="longer than its content-length"):
        response.try_write(b"xy")
    response, transport = a_response()
    await response.send({})
    with pytest.raises(RuntimeError, match="'ended' cannot take the event 'part'"):
        response.try_write(b"x")
    assert (len(transport.sent), response.chunks, response.tail) == (1, 1, b"{}")


@given(
    sizes=st.lists(
        st.one_of(st.integers(1, 300), st.integers(TAIL_BYTES - 2, TAIL_BYTES + 2), st.just(3 * TAIL_BYTES)),
        max_size=40,
    )
)
async def test_tail_is_the_last_bytes_of_all_parts(sizes: list[int]) -> None:
    """At any segmentation of the body its tail is the same, and little more than the tail is kept."""
    response, _ = a_response()
    await response.start(200, STREAM)
    body = b""
    for number, size in enumerate(sizes):
        part = bytes((number,)) * (size // 2) + bytes((number + 100,)) * (size - size // 2)
        body += part
        if number % 2:
            await response.write(part)
        else:
            response.try_write(part)
        assert response.tail == body[-TAIL_BYTES:]
        assert sum(map(len, response._older_parts + response._parts)) < 3 * TAIL_BYTES


async def test_interrupted_send_counts_as_not_sent() -> None:
    """When sending is interrupted the state stays unchanged, so that the error can still be sent."""
    response, transport = a_response()
    transport.fails_with = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        await response.start(200, STREAM)
    assert (response.state, response.status) == (ResponseState.NOT_STARTED, None)
    transport.fails_with = None
    await response.start(200, STREAM)
    transport.fails_with = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        await response.write(b"data: par")
    transport.fails_with = None
    await response.fail(UpstreamError("gone"))
    assert transport.body.partition(b"\r\n")[2].startswith(b'data: {"error"')


async def test_failure_before_the_head_is_a_status() -> None:
    """Before the head, the failure is a whole response."""
    response, transport = a_response()
    await response.fail(UpstreamError("gone"))
    assert (response.status, response.is_ended) == (502, True)
    assert json.loads(transport.body)["error"]["message"] == "gone"
    assert b"content-length: %d" % len(transport.body) in transport.head


async def test_failure_in_a_stream_is_an_event() -> None:
    """In a stream the failure is the last event, separated from a partial event."""
    response, transport = a_response()
    await response.start(200, STREAM)
    await response.write(b"data: par")
    await response.fail(UpstreamError("gone"))
    assert transport.sent[1] == b"9\r\ndata: par\r\n"
    assert transport.sent[2].partition(b"\r\n")[2].startswith(b'\n\ndata: {"error":{"message":"gone"')
    assert transport.sent[2].endswith(b"\n\n\r\n0\r\n\r\n")


async def test_failure_in_another_body_leaves_it_incomplete() -> None:
    """In any other body nothing more is sent, so that no client takes it for complete."""
    response, transport = a_response()
    await response.start(200, PLAIN)
    await response.fail(UpstreamError("gone"))
    assert (len(transport.sent), response.is_ended) == (1, False)
    assert response.is_started
    await response.fail(UpstreamError("gone"))
    with pytest.raises(RuntimeError, match="'aborted' cannot take the event 'part'"):
        await response.write(b"{}")
    assert (len(transport.sent), transport.may_keep_alive) == (1, None)


async def test_failure_after_the_end_changes_nothing() -> None:
    """A complete response does not change."""
    response, transport = a_response()
    await response.send({"a": 1})
    await response.fail(UpstreamError("gone"))
    assert transport.body == b'{"a":1}'


@pytest.mark.parametrize("can_keep_alive", [True, False])
async def test_first_heartbeat_sends_the_head_of_a_stream(can_keep_alive: bool) -> None:  # noqa: FBT001
    """The first heartbeat decides the status; keep-alive follows the client's request."""
    response, transport = a_response(can_keep_alive=can_keep_alive)
    await response.send_heartbeat()
    await response.send_heartbeat()
    assert (response.status, transport.body) == (200, b"3\r\n:\n\n\r\n" * 2)
    lines = transport.head.split(b"\r\n")
    assert (b"connection: keep-alive" if can_keep_alive else b"connection: close") in lines
    assert b"cache-control: no-cache" in lines


@pytest.mark.parametrize("is_started", [False, True])
async def test_slow_client_gets_no_heartbeat(is_started: bool) -> None:  # noqa: FBT001
    """A second task that awaits ``drain`` would keep the writing task from being woken."""
    response, transport = a_response()
    if is_started:
        await response.start(200, STREAM)
    sent = list(transport.sent)
    transport.fails_with = AssertionError("two tasks wait for the client")
    await response.send_heartbeat()
    assert transport.sent == sent
    assert response.is_started is is_started
