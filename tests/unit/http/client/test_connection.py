"""What a client connection relays: at once where it can, in order, and never as complete what is truncated."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.client.connection import UpstreamConnection
from gglib.http.client.stall import StallTimer
from gglib.http.errors import TransportError

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
EVENTS = [b"data: %d\n\n" % number for number in range(5)]


class Transport(asyncio.Transport):
    """Accepts everything."""

    def write(self, data: object) -> None:
        """Accept it."""

    def is_closing(self) -> bool:
        """Never."""
        return False


class ListTarget:
    """Records parts by how they were written: ``try_write`` or ``write``."""

    def __init__(self) -> None:
        self.offered: list[bytes] = []
        self.written: list[bytes] = []
        self.all = b""
        self.is_ended = False
        self.is_free = asyncio.Event()
        self.is_free.set()

    def try_write(self, part: bytes, *, is_last: bool = False) -> bool:
        """Record the part if there is room."""
        if not self.is_free.is_set():
            return False
        assert part or is_last
        assert not self.is_ended
        self.offered.append(part)
        self.all += part
        self.is_ended = is_last
        return True

    async def drain(self) -> None:
        """Wait until there is room."""
        await self.is_free.wait()

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Record the part."""
        assert part or is_last
        assert not self.is_ended
        self.written.append(part)
        self.all += part
        self.is_ended = is_last


async def run_pending_tasks() -> None:
    """Let tasks run for some iterations of the loop."""
    for _ in range(5):
        await asyncio.sleep(0)


def framed(part: bytes) -> bytes:
    """Return the data as a chunk."""
    return b"%x\r\n%b\r\n" % (len(part), part)


@asynccontextmanager
async def relaying(
    *, head: bytes = HEAD, stall_timer: StallTimer | None = None
) -> AsyncIterator[tuple[UpstreamConnection, ListTarget, asyncio.Task[None]]]:
    """Yield a connection whose response has begun and is relayed to a target by a sleeping task."""
    connection, target = UpstreamConnection(set(), origin_header_lines=b""), ListTarget()
    connection.connection_made(Transport())
    connection.send_small(b"", stall_timer or StallTimer(first_byte_s=0, chunk_gap_s=0))
    connection.data_received(head)
    task = asyncio.create_task(connection.relay_to(target))
    await run_pending_tasks()
    try:
        async with asyncio.timeout(5):
            yield connection, target, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        connection.connection_lost(None)


async def test_parts_are_relayed_as_they_arrive() -> None:
    """Data of one read reaches the target within that read, whether or not the chunk sizes are cached."""
    async with relaying() as (connection, target, task):
        for number, event in enumerate(EVENTS, start=1):
            connection.data_received(framed(event))
            assert target.offered == EVENTS[:number]
        connection.data_received(framed(EVENTS[0]) + framed(EVENTS[1])[:-3])
        connection.data_received(framed(EVENTS[1])[-3:])
        assert target.all == b"".join([*EVENTS, *EVENTS[:2]])
        assert not target.written
        connection.data_received(END)
        assert (target.offered[-1], target.is_ended) == (b"", True)
        await task
        assert not target.written


async def test_queued_parts_are_not_overtaken() -> None:
    """Data that arrives while parts are queued is queued behind them, even if the target has room again."""
    async with relaying() as (connection, target, task):
        target.is_free.clear()
        connection.data_received(framed(EVENTS[0]))
        await run_pending_tasks()
        assert not target.written  # it is queued in the connection, which counts it
        target.is_free.set()
        connection.data_received(framed(EVENTS[1]))
        assert target.all == b""
        await run_pending_tasks()
        assert target.written == [EVENTS[0] + EVENTS[1]]
        connection.data_received(framed(EVENTS[2]))
        connection.data_received(framed(EVENTS[3]) + END)
        await task
        assert (target.all, target.is_ended) == (b"".join(EVENTS[:4]), True)


@pytest.mark.parametrize("has_room", [True, False])
async def test_relayed_content_resets_the_stall_timer(has_room: bool) -> None:  # noqa: FBT001 - a case
    """An event counts and a comment does not, whether it is relayed at once or queued."""
    stall_timer = StallTimer(first_byte_s=60, chunk_gap_s=60)
    async with relaying(stall_timer=stall_timer) as (connection, target, _):
        if not has_room:
            target.is_free.clear()
        connection.data_received(framed(b":\n\n"))
        assert "sent nothing" in str(stall_timer.error())
        connection.data_received(framed(EVENTS[0]))
        assert "stopped in the middle" in str(stall_timer.error())
        assert stall_timer.is_running == has_room  # a woken task no longer waits


async def test_the_last_part_is_marked() -> None:
    """The end of the response comes with its last part, once."""
    async with relaying() as (connection, target, task):
        connection.data_received(framed(EVENTS[0]) + END)
        await task
        assert (target.offered, target.written, target.is_ended) == ([EVENTS[0]], [], True)
        assert not connection.may_be_reused()  # an engine closes it
        assert connection.may_be_reused(after_chunks=True)


async def test_cancelling_at_the_end_does_not_truncate_a_whole_response() -> None:
    """A shutdown in the same iteration as the end of the response is too late: the client has it all."""
    async with relaying() as (connection, target, task):
        connection.data_received(framed(EVENTS[0]) + END)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (target.all, target.is_ended) == (EVENTS[0], True)


async def test_a_connection_closed_before_the_request_fails_at_once() -> None:
    """The server accepted the connection and closed it."""
    connection = UpstreamConnection(set(), origin_header_lines=b"")
    connection.connection_made(Transport())
    connection.connection_lost(None)
    connection.send_small(b"", StallTimer(first_byte_s=0, chunk_gap_s=0))
    async with asyncio.timeout(5):
        with pytest.raises(TransportError, match="closed the connection"):
            await connection.read_head()


async def test_time_counts_as_a_stall_after_the_part_that_filled_the_target() -> None:
    """Nothing is queued then, so the time counts until the server sends, or its next part is queued."""
    stall_timer = StallTimer(first_byte_s=60, chunk_gap_s=60)
    async with relaying(stall_timer=stall_timer) as (connection, target, _):
        connection.data_received(framed(EVENTS[0]))
        target.is_free.clear()
        await run_pending_tasks()
        assert stall_timer.is_running
        connection.data_received(framed(EVENTS[1]))
        await run_pending_tasks()
        assert not stall_timer.is_running


async def test_parts_before_a_fault_are_relayed_without_an_end() -> None:
    """Then the fault is raised."""
    async with relaying() as (connection, target, task):
        connection.data_received(framed(EVENTS[0]) + b"no size\r\n")
        with pytest.raises(TransportError, match="not HTTP"):
            await task
        assert (target.all, target.is_ended) == (EVENTS[0], False)


async def test_a_body_with_a_content_length_is_relayed() -> None:
    """As it arrives, to its last byte."""
    async with relaying(head=b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n") as (connection, target, task):
        connection.data_received(b"5\r\n")
        connection.data_received(b"a")
        assert target.offered == [b"5\r\n", b"a"]
        connection.data_received(b"bc")
        await task
        assert (target.all, target.is_ended) == (b"5\r\nabc", True)
        assert connection.may_be_reused()


@given(
    cuts=st.sets(st.integers(1, 80), max_size=12),
    stops=st.sets(st.integers(0, 12)),
    pauses=st.sets(st.integers(0, 12)),
)
def test_any_split_and_any_full_target_relay_the_same_stream(
    cuts: set[int], stops: set[int], pauses: set[int]
) -> None:
    """The same bytes arrive in the same order, with one end."""
    transport = b"".join(map(framed, EVENTS)) + END
    places = [0, *sorted(cut for cut in cuts if cut < len(transport)), len(transport)]
    pieces = [transport[begin:end] for begin, end in pairwise(places)]

    async def run(pieces: Iterable[bytes]) -> ListTarget:
        async with relaying() as (connection, target, task):
            for number, piece in enumerate(pieces):
                if number in stops:
                    target.is_free.clear()
                connection.data_received(piece)
                if number in pauses:
                    await run_pending_tasks()
                target.is_free.set()
            await task
            return target

    target = asyncio.run(run(pieces))
    assert (target.all, target.is_ended) == (b"".join(EVENTS), True)


async def test_many_small_chunks_yield_to_the_loop_after_each_read() -> None:
    """Reading pauses for one iteration and resumes."""

    class Pausing(Transport):
        states: list[str]

        def pause_reading(self) -> None:
            """Record the call."""
            self.states.append("pause")

        def resume_reading(self) -> None:
            """Record the call."""
            self.states.append("resume")

    transport = Pausing()
    transport.states = []
    connection = UpstreamConnection(set(), origin_header_lines=b"")
    connection.connection_made(transport)
    connection.send_small(b"", StallTimer(first_byte_s=0, chunk_gap_s=0))
    target = ListTarget()
    relaying = asyncio.create_task(connection.relay_to(target))
    connection.data_received(HEAD)
    await asyncio.sleep(0)
    connection.data_received(b"1\r\nx\r\n" * 3)
    await asyncio.sleep(0)
    assert transport.states == []
    connection.data_received(b"1\r\nx\r\n" * 5000)
    assert transport.states == ["pause"]
    await asyncio.sleep(0)
    assert transport.states == ["pause", "resume"]
    connection.data_received(END)
    await relaying
    assert target.all == b"x" * 5003


async def test_a_silent_exchange_can_be_broken_off() -> None:
    """One in which the server has sent content lately, and one that has ended, are left alone."""
    async with relaying() as (connection, target, task):
        connection.abort = lambda: None  # type: ignore[method-assign]
        connection.data_received(framed(EVENTS[0]))
        connection.break_off("is gone", silent_s=60)
        connection.data_received(framed(EVENTS[1]))
        assert target.all == EVENTS[0] + EVENTS[1]
        connection.break_off("is gone", silent_s=0)
        with pytest.raises(TransportError, match="The server is gone"):
            await task
    async with relaying() as (connection, target, task):
        connection.data_received(END)
        connection.break_off("is gone", silent_s=0)
        await task
        assert target.is_ended


async def test_a_part_that_was_put_back_is_read_again_first() -> None:
    """Before what arrived meanwhile, and by any reader."""
    connection, target = UpstreamConnection(set(), origin_header_lines=b""), ListTarget()
    connection.connection_made(Transport())
    connection.send_small(b"", StallTimer(first_byte_s=0, chunk_gap_s=0))
    connection.data_received(HEAD + framed(EVENTS[0]))
    first = await anext(aiter(connection))
    connection.data_received(framed(EVENTS[1]))
    connection.put_back(first)
    assert not connection.is_fully_read
    connection.data_received(END)
    assert not connection.is_fully_read
    await connection.relay_to(target)
    assert (target.all, target.is_ended) == (EVENTS[0] + EVENTS[1], True)
    connection.connection_lost(None)
