"""Heartbeats of a stream that waits for its first event."""

import asyncio

import pytest

from gglib.http.headers import EVENT_STREAM_HEADERS, Headers
from gglib.http.sse import HEARTBEAT
from gglib.proxy.relay.heartbeat import Heartbeat
from gglib.proxy.response import Response

from .dialects.numbers_dialect import NumbersExchange
from .test_proxy_response import a_response

SOON_S = 1e-6
LATER_S = 3600.0


class BeatingResponse(Response):
    """A response whose heartbeats can be awaited; ``fails_with``, when set, is the error of each heartbeat."""

    __slots__ = ("beats", "fails_with", "last", "was_beaten")

    def __init__(self) -> None:
        _, transport = a_response()
        super().__init__(transport, method="POST", minor_version=1, request_id="r-1")
        self.beats = 0
        self.fails_with: Exception | None = None
        self.was_beaten = asyncio.Event()
        self.last: tuple[bytes, Headers] | None = None

    async def send_heartbeat(
        self, content: bytes = HEARTBEAT, headers: Headers = EVENT_STREAM_HEADERS
    ) -> None:
        """Count."""
        self.last = content, headers
        self.beats += 1
        self.was_beaten.set()
        if self.fails_with is not None:
            raise self.fails_with


async def wait_for_a_beat(response: BeatingResponse, *, then_fail_with: Exception | None = None) -> None:
    """Wait in a block with a heartbeat, and leave it after the first beat."""
    async with Heartbeat(response, SOON_S):
        await response.was_beaten.wait()
        await asyncio.sleep(0)
        if then_fail_with is not None:
            raise then_fail_with


async def test_heartbeats_repeat_until_stopped() -> None:
    """While the block waits a heartbeat is sent after each interval; after ``stop`` there is none."""
    response = BeatingResponse()
    async with Heartbeat(response, SOON_S) as heartbeat:
        for _ in range(3):
            response.was_beaten.clear()
            await response.was_beaten.wait()
        await heartbeat.stop()
        await heartbeat.stop()
        beats = response.beats
        for _ in range(10):
            await asyncio.sleep(0)
        assert response.beats == beats >= 3
        assert len(asyncio.all_tasks()) == 1


async def test_block_that_ends_before_the_first_heartbeat_starts_no_task() -> None:
    """Most responses begin earlier: then there was only a timer, which is cancelled."""
    response = BeatingResponse()
    async with Heartbeat(response, LATER_S) as heartbeat:
        assert len(asyncio.all_tasks()) == 1
        timer = heartbeat._timer
        assert timer is not None
    assert timer.cancelled()
    assert response.beats == 0


async def test_heartbeat_of_a_translated_request_has_the_form_of_its_dialect() -> None:
    """A client of a dialect without comments would fail at one."""
    response = BeatingResponse()
    async with Heartbeat(response, SOON_S, NumbersExchange("/v1/chat/completions", b"{}")):
        await response.was_beaten.wait()
    assert response.last == (b"\n", [(b"content-type", b"text/numbers")])


async def test_interval_of_zero_disables_heartbeats() -> None:
    """A client that fails at comments gets none."""
    response = BeatingResponse()
    async with Heartbeat(response, 0) as heartbeat:
        assert heartbeat._timer is None
    assert response.beats == 0


async def test_heartbeats_end_with_the_block() -> None:
    """No heartbeat is sent after the block ended, also by an error."""
    response = BeatingResponse()
    with pytest.raises(ZeroDivisionError):
        await wait_for_a_beat(response, then_fail_with=ZeroDivisionError())
    assert len(asyncio.all_tasks()) == 1


async def test_error_of_a_heartbeat_is_raised_at_stop() -> None:
    """An error of the background task is raised in the block that it served."""
    response = BeatingResponse()
    response.fails_with = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await wait_for_a_beat(response)
