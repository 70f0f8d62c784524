"""What a connection to an engine hands on: at once where it can, in order, and never as whole what is not."""

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
    """Takes everything."""

    def write(self, data: object) -> None:
        """Take it."""

    def is_closing(self) -> bool:
        """Never."""
        return False


class ListSink:
    """Keeps what it is given, and how: offered or written."""

    def __init__(self) -> None:
        self.offered: list[bytes] = []
        self.written: list[bytes] = []
        self.all = b""
        self.is_ended = False
        self.is_free = asyncio.Event()
        self.is_free.set()

    def try_write(self, part: bytes, *, is_last: bool = False) -> bool:
        """Keep it where there is room."""
        if not self.is_free.is_set():
            return False
        assert part or is_last
        assert not self.is_ended
        self.offered.append(part)
        self.all += part
        self.is_ended = is_last
        return True

    async def drain(self) -> None:
        """Wait until it is free."""
        await self.is_free.wait()

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Keep it."""
        assert part or is_last
        assert not self.is_ended
        self.written.append(part)
        self.all += part
        self.is_ended = is_last


async def turns_of_the_loop() -> None:
    """Let tasks do what they can."""
    for _ in range(5):
        await asyncio.sleep(0)


def framed(part: bytes) -> bytes:
    """Return it as a chunk."""
    return b"%x\r\n%b\r\n" % (len(part), part)


@asynccontextmanager
async def relaying(
    *, head: bytes = HEAD, stall_timer: StallTimer | None = None
) -> AsyncIterator[tuple[UpstreamConnection, ListSink, asyncio.Task[None]]]:
    """Give a connection whose answer has begun and is relayed to a sink by a task that sleeps."""
    connection, sink = UpstreamConnection(set(), origin_header_lines=b""), ListSink()
    connection.connection_made(Transport())
    connection.send_small(b"", stall_timer or StallTimer(first_byte_s=0, chunk_gap_s=0))
    connection.data_received(head)
    task = asyncio.create_task(connection.relay_to(sink))
    await turns_of_the_loop()
    try:
        async with asyncio.timeout(5):
            yield connection, sink, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        connection.connection_lost(None)


async def test_parts_are_handed_on_as_they_come() -> None:
    """What comes in one read reaches the sink before the read is over, whether or not the sizes were seen before."""
    async with relaying() as (connection, sink, task):
        for number, event in enumerate(EVENTS, start=1):
            connection.data_received(framed(event))
            assert sink.offered == EVENTS[:number]
        connection.data_received(framed(EVENTS[0]) + framed(EVENTS[1])[:-3])
        connection.data_received(framed(EVENTS[1])[-3:])
        assert sink.all == b"".join([*EVENTS, *EVENTS[:2]])
        assert not sink.written
        connection.data_received(END)
        assert (sink.offered[-1], sink.is_ended) == (b"", True)
        await task
        assert not sink.written


async def test_what_had_no_room_is_not_overtaken() -> None:
    """What comes while something waits for the sink waits behind it, also where there is room again."""
    async with relaying() as (connection, sink, task):
        sink.is_free.clear()
        connection.data_received(framed(EVENTS[0]))
        await turns_of_the_loop()
        assert not sink.written  # it waits where the connection counts it
        sink.is_free.set()
        connection.data_received(framed(EVENTS[1]))
        assert sink.all == b""
        await turns_of_the_loop()
        assert sink.written == [EVENTS[0] + EVENTS[1]]
        connection.data_received(framed(EVENTS[2]))
        connection.data_received(framed(EVENTS[3]) + END)
        await task
        assert (sink.all, sink.is_ended) == (b"".join(EVENTS[:4]), True)


@pytest.mark.parametrize("has_room", [True, False])
async def test_whatever_is_handed_on_breaks_the_silence(has_room: bool) -> None:  # noqa: FBT001 - a case
    """An event counts as the engine's word and a comment does not, whether it is handed on at once or waits."""
    stall_timer = StallTimer(first_byte_s=60, chunk_gap_s=60)
    async with relaying(stall_timer=stall_timer) as (connection, sink, _):
        if not has_room:
            sink.is_free.clear()
        connection.data_received(framed(b":\n\n"))
        assert "said nothing" in str(stall_timer.error())
        connection.data_received(framed(EVENTS[0]))
        assert "stopped in the middle" in str(stall_timer.error())
        assert stall_timer.is_running == has_room  # whoever is woken listens no more


async def test_the_last_part_is_told_to_be_the_last() -> None:
    """An answer's end is told with its last part, and once."""
    async with relaying() as (connection, sink, task):
        connection.data_received(framed(EVENTS[0]) + END)
        await task
        assert (sink.offered, sink.written, sink.is_ended) == ([EVENTS[0]], [], True)
        assert not connection.is_reusable  # the engine closes it


async def test_a_whole_answer_is_not_cut_off_by_who_ends_the_task_at_that_moment() -> None:
    """A shutdown in the same turn of the loop as the answer's end comes too late: the client has it all."""
    async with relaying() as (connection, sink, task):
        connection.data_received(framed(EVENTS[0]) + END)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (sink.all, sink.is_ended) == (EVENTS[0], True)


async def test_an_engine_that_left_before_it_was_asked_is_not_waited_for() -> None:
    """It accepted the connection and closed it: whoever asks over it is told so at once."""
    connection = UpstreamConnection(set(), origin_header_lines=b"")
    connection.connection_made(Transport())
    connection.connection_lost(None)
    connection.send_small(b"", StallTimer(first_byte_s=0, chunk_gap_s=0))
    async with asyncio.timeout(5):
        with pytest.raises(TransportError, match="closed the connection"):
            await connection.read_head()


async def test_an_engine_is_silent_though_its_last_part_filled_the_client() -> None:
    """Nothing of its waits then, so its silence counts, until it speaks again or its next part has to wait."""
    stall_timer = StallTimer(first_byte_s=60, chunk_gap_s=60)
    async with relaying(stall_timer=stall_timer) as (connection, sink, _):
        connection.data_received(framed(EVENTS[0]))
        sink.is_free.clear()
        await turns_of_the_loop()
        assert stall_timer.is_running
        connection.data_received(framed(EVENTS[1]))
        await turns_of_the_loop()
        assert not stall_timer.is_running


async def test_what_came_before_a_fault_is_handed_on_and_is_not_the_whole() -> None:
    """Parts before a fault are the client's; then the fault is raised, and no end is told."""
    async with relaying() as (connection, sink, task):
        connection.data_received(framed(EVENTS[0]) + b"no size\r\n")
        with pytest.raises(TransportError, match="not HTTP"):
            await task
        assert (sink.all, sink.is_ended) == (EVENTS[0], False)


async def test_parts_of_a_body_that_has_no_chunks_are_handed_on_too() -> None:
    """A body of a length is relayed as it comes, to the last byte of it."""
    async with relaying(head=b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n") as (connection, sink, task):
        connection.data_received(b"5\r\n")
        connection.data_received(b"a")
        assert sink.offered == [b"5\r\n", b"a"]
        connection.data_received(b"bc")
        await task
        assert (sink.all, sink.is_ended) == (b"5\r\nabc", True)
        assert connection.is_reusable


@given(
    cuts=st.sets(st.integers(1, 80), max_size=12),
    stops=st.sets(st.integers(0, 12)),
    pauses=st.sets(st.integers(0, 12)),
)
def test_however_a_stream_is_cut_and_whenever_there_is_no_room(
    cuts: set[int], stops: set[int], pauses: set[int]
) -> None:
    """The same bytes arrive in the same order, with one end."""
    transport = b"".join(map(framed, EVENTS)) + END
    places = [0, *sorted(cut for cut in cuts if cut < len(transport)), len(transport)]
    pieces = [transport[begin:end] for begin, end in pairwise(places)]

    async def run(pieces: Iterable[bytes]) -> ListSink:
        async with relaying() as (connection, sink, task):
            for number, piece in enumerate(pieces):
                if number in stops:
                    sink.is_free.clear()
                connection.data_received(piece)
                if number in pauses:
                    await turns_of_the_loop()
                sink.is_free.set()
            await task
            return sink

    sink = asyncio.run(run(pieces))
    assert (sink.all, sink.is_ended) == (b"".join(EVENTS), True)


async def test_an_engine_that_sends_very_small_chunks_waits_for_others_after_each_read() -> None:
    """Its connection rests for a turn of the loop, and then reads on."""

    class Pausing(Transport):
        states: list[str]

        def pause_reading(self) -> None:
            """Note it."""
            self.states.append("pause")

        def resume_reading(self) -> None:
            """Note it."""
            self.states.append("resume")

    transport = Pausing()
    transport.states = []
    connection = UpstreamConnection(set(), origin_header_lines=b"")
    connection.connection_made(transport)
    connection.send_small(b"", StallTimer(first_byte_s=0, chunk_gap_s=0))
    sink = ListSink()
    relaying = asyncio.create_task(connection.relay_to(sink))
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
    assert sink.all == b"x" * 5003
