"""One answer to a client: a state machine in front of ASGI's ``send``.

It knows how an answer begins, goes on and ends, also when something fails in the middle; not what is in it.
"""

import json
from enum import Enum

from gglib.proxy import headers as header_rules
from gglib.proxy import sse
from gglib.proxy.asgi import Send
from gglib.proxy.errors import Problem, describe
from gglib.proxy.headers import Headers

JSON = (b"content-type", b"application/json")
STREAM_HEAD: Headers = [(b"content-type", header_rules.EVENT_STREAM), *header_rules.STREAM_HEADERS]


class AnswerState(Enum):
    """How far an answer is."""

    NOT_STARTED = "not started"
    """Nothing is sent: any status is still possible."""
    STARTED = "started"
    """The head is sent: a failure can only be told inside the body, or by breaking it off."""
    ENDED = "ended"


class Move(Enum):
    """What can be sent."""

    HEAD = "head"
    PART = "part"
    LAST_PART = "last part"


_MOVES = {
    (AnswerState.NOT_STARTED, Move.HEAD): AnswerState.STARTED,
    (AnswerState.STARTED, Move.PART): AnswerState.STARTED,
    (AnswerState.STARTED, Move.LAST_PART): AnswerState.ENDED,
}


class Answer:
    """Sends one answer. An illegal move raises RuntimeError and sends nothing.

    A cancelled send counts as not sent: the server writes a message at once, after any wait for the client.
    """

    __slots__ = ("_is_event_stream", "_may_keep_alive", "_request_id", "_send", "_tail", "state", "status")

    def __init__(self, send: Send, *, request_id: str, may_keep_alive: bool) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self._may_keep_alive = may_keep_alive
        self._tail = sse.StreamTail()
        self._is_event_stream = False
        self.state = AnswerState.NOT_STARTED
        self.status: int | None = None

    @property
    def is_started(self) -> bool:
        """Whether the status is decided."""
        return self.state is not AnswerState.NOT_STARTED

    @property
    def is_ended(self) -> bool:
        """Whether all of it is sent."""
        return self.state is AnswerState.ENDED

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head."""
        is_event_stream = header_rules.is_event_stream(headers)
        full = [*headers, (b"x-request-id", self._request_id)]
        if is_event_stream and self._may_keep_alive:
            full.append(header_rules.KEEP_ALIVE)
        after = self._after(Move.HEAD)
        await self._send({"type": "http.response.start", "status": status, "headers": full})
        self.state, self.status, self._is_event_stream = after, status, is_event_stream

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Send a part of the body; waits while the client is slow to read."""
        after = self._after(Move.LAST_PART if is_last else Move.PART)
        await self._send({"type": "http.response.body", "body": part, "more_body": not is_last})
        self.state = after
        self._tail.feed(part)

    async def send_json(self, content: object) -> None:
        """Send ``content`` as a whole answer of status 200."""
        await self.send_body(json.dumps(content, separators=(",", ":")).encode())

    async def send_body(self, body: bytes) -> None:
        """Send JSON that is written already as a whole answer of status 200."""
        await self._send_whole(Problem(200, (), body))

    async def beat(self) -> None:
        """Send a heartbeat; the first one decides the status, which is 200 from then on."""
        if not self.is_started:
            await self.start(200, STREAM_HEAD)
        await self.write(sse.HEARTBEAT)

    async def fail(self, error: Exception) -> None:
        """Tell the client of ``error`` in the way that is left.

        Before the head: a proper status. In an event stream: one event, and the end. In any other body: nothing,
        and no end either, so that the server breaks the connection and nobody takes a part for the whole.
        """
        problem = describe(error)
        if not self.is_started:
            await self._send_whole(problem)
        elif self.state is AnswerState.STARTED and self._is_event_stream:
            await self.end_with_event(problem.body)

    async def end_with_event(self, error_body: bytes) -> None:
        """End an event stream with an error, never with ``[DONE]``."""
        await self.write(self._tail.separator() + sse.error_event(error_body), is_last=True)

    async def _send_whole(self, whole: Problem) -> None:
        length = (b"content-length", str(len(whole.body)).encode())
        await self.start(whole.status, [JSON, length, *whole.headers])
        await self.write(whole.body, is_last=True)

    def _after(self, move: Move) -> AnswerState:
        after = _MOVES.get((self.state, move))
        if after is None:
            raise RuntimeError(f"An answer that is {self.state.value} takes no {move.value}.")
        return after
