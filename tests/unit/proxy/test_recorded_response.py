"""A response that is captured: the client receives the same, and the capture has what the client received."""

import asyncio
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gglib.core.errors import UpstreamError
from gglib.http.request_head import parse_head
from gglib.proxy.recorded_response import RecordedResponse, start_capture
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.telemetry.body_capture import BodyCapture, LongStreams

STREAM = [(b"content-type", b"text/event-stream")]
PARTS = st.sampled_from(
    [
        b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
        b'data: {"choices":[]}\n\ndata: {"choices":[]}\n\n',
        b'event: content_block_delta\ndata: {"type":"content_block_delta"}\n\n',
        b'data: {"error":{"message":"bad"}}\n\n',
        b": ping\n\n",
        b"data: {",
        b"",
        b'data: {"choices":"' + b"x" * 3000 + b'"}\n\n',
        b"data: [DONE]\n\n",
    ]
)
WAYS = st.sampled_from(["write", "try_write", "try_write_events", "heartbeat"])


class FakeTransport:
    """A transport that records what is written."""

    date_line = b"date: today\r\n"
    can_keep_alive = True
    peer_host: str | None = None
    server_host: str | None = None

    def __init__(self) -> None:
        self.sent = b""
        self.is_write_paused = False

    async def drain(self) -> None:
        """Continue."""
        self.is_write_paused = False

    def write(self, data: bytes) -> None:
        """Record the bytes."""
        self.sent += data

    def end(self, *, may_keep_alive: bool) -> None:
        """Record nothing."""


Step = tuple[str, bytes, bool]


async def send(
    response: Response, transport: FakeTransport, steps: list[Step], last: Step | None
) -> tuple[list[bool], bytes]:
    """Send a stream; return what was sent, and the body without heartbeats."""
    sent, body = [], b""
    await response.start(200, STREAM)
    all_steps = steps if last is None else [*steps, last]
    for number, (way, part, is_paused) in enumerate(all_steps):
        is_last = number == len(steps)
        transport.is_write_paused = is_paused
        is_sent = True
        if way == "write":
            await response.write(part, is_last=is_last)
        elif way == "heartbeat" and not is_last:
            await response.send_heartbeat()
        else:
            method = response.try_write if way == "try_write" else response.try_write_events
            is_sent = method(part, is_last=is_last)
        sent.append(is_sent)
        body += part if is_sent and (way != "heartbeat" or is_last) else b""
    return sent, body


@given(
    steps=st.lists(st.tuples(WAYS, PARTS, st.booleans()), max_size=12),
    last=st.none() | st.tuples(WAYS, PARTS, st.just(value=False)),
)
@example(
    steps=[("try_write_events", b"data: [DONE]\n\n", False)], last=("try_write_events", b": ping\n\n", False)
)
def test_the_client_receives_the_same(steps: list[Step], last: Step | None) -> None:
    """By each way of sending, to slow clients, with heartbeats, and to the end or not."""

    async def run() -> None:
        plain_transport, transport = FakeTransport(), FakeTransport()
        plain = Response(plain_transport, method="POST", minor_version=1, request_id="r")
        recorded = RecordedResponse(transport, method="POST", minor_version=1, request_id="r")
        recorded.capture = BodyCapture(LongStreams())
        expected = await send(plain, plain_transport, steps, last)
        assert await send(recorded, transport, steps, last) == expected
        assert transport.sent == plain_transport.sent
        assert recorded.capture.bodies().response == expected[1]
        assert recorded.capture.is_stream or not expected[1]
        assert (recorded.chunks, recorded.tail) == (plain.chunks, plain.tail)

    asyncio.run(run())


async def test_whole_responses_and_errors_are_captured() -> None:
    """Without their heads."""
    recorded = RecordedResponse(FakeTransport(), method="POST", minor_version=1, request_id="r")
    recorded.capture = capture = BodyCapture(LongStreams())
    await recorded.send({"a": 1})
    assert capture.bodies().response == b'{"a":1}'
    assert not capture.is_stream
    recorded = RecordedResponse(FakeTransport(), method="POST", minor_version=1, request_id="r")
    recorded.capture = capture = BodyCapture(LongStreams())
    await recorded.fail(UpstreamError("gone"))
    assert "gone" in json.loads(capture.bodies().response)["error"]["message"]


async def test_without_a_capture_nothing_is_kept() -> None:
    """As for a path whose bodies are not recorded."""
    transport = FakeTransport()
    recorded = RecordedResponse(transport, method="POST", minor_version=1, request_id="r")
    await recorded.send({})
    assert transport.sent.endswith(b"{}")
    assert recorded.capture is None


@pytest.mark.parametrize("cls", [Response, RecordedResponse])
def test_only_a_recorded_response_is_captured(cls: type[Response]) -> None:
    """Another has no place for it."""
    transport = FakeTransport()
    request = ProxyRequest(parse_head(b"POST / HTTP/1.1\r\nHost: localhost"), 0, b"", transport)
    response = cls(transport, method="POST", minor_version=1, request_id="r")
    start_capture(request, response, LongStreams())
    assert (request.capture is not None) is (cls is RecordedResponse)
