"""The body of a request: buffered, limited, failed, read once."""

import asyncio
import sys
import tracemalloc

import pytest

from gglib.http.errors import BodyTooLargeError, MalformedMessageError
from gglib.http.server.body import PREALLOCATE_DIVISOR, PREALLOCATE_FROM_BYTES, RequestBody


async def reading(body: RequestBody) -> "asyncio.Task[bytes]":
    """Start reading, and return when the reader waits or is done."""
    task = asyncio.create_task(body.read())
    await asyncio.sleep(0)
    return task


async def test_parts_before_and_after_read_starts_are_joined() -> None:
    """Parts are joined in order, whenever they arrive; the reader wakes at the end."""
    body = RequestBody(limit_bytes=10**9)
    begun = [body.has_begun]
    body.feed(b"a")
    begun.append(body.has_begun)
    assert begun == [False, True]
    task = await reading(body)
    body.feed(b"b")
    await asyncio.sleep(0)
    assert not task.done()
    body.feed(b"c")
    body.finish()
    assert await task == b"abc"


async def test_a_body_in_one_part_is_not_copied() -> None:
    """The part itself is the body."""
    body, part = RequestBody(limit_bytes=10**9), b"x" * 1000
    body.feed(part)
    body.finish()
    assert await body.read() is part


async def test_an_empty_body_has_begun_when_it_is_complete() -> None:
    """``100 Continue`` is not needed for a complete body."""
    body = RequestBody(limit_bytes=10**9)
    body.finish()
    assert body.has_begun
    assert await body.read() == b""


async def test_a_too_large_body_fails_at_once() -> None:
    """``read`` raises as soon as the limit is exceeded, not at the end of the body."""
    body = RequestBody(limit_bytes=2)
    task = await reading(body)
    body.feed(b"ab")
    await asyncio.sleep(0)
    assert not task.done()
    body.feed(b"c")
    with pytest.raises(BodyTooLargeError, match="2 bytes"):
        await task


async def test_an_unread_body_is_limited() -> None:
    """A body that is too large, or has failed, buffers nothing and never completes."""
    for fault in (None, MalformedMessageError("broken")):
        body = RequestBody(limit_bytes=2)
        body.feed(b"ab")
        if fault is not None:
            body.fail(fault)
        body.feed(b"c")
        body.feed(b"d")
        body.finish()
        assert not body.is_complete
        assert (body._first, body._parts) == (b"", None)
        with pytest.raises(MalformedMessageError if fault else BodyTooLargeError):
            await body.read()


async def test_read_raises_the_first_fault() -> None:
    """Later faults are ignored."""
    body = RequestBody(limit_bytes=10**9)
    task = await reading(body)
    body.fail(MalformedMessageError("first"))
    body.fail(MalformedMessageError("second"))
    with pytest.raises(MalformedMessageError, match="first"):
        await task
    with pytest.raises(MalformedMessageError, match="first"):
        await body.read()


async def test_a_body_that_is_complete_cannot_fail() -> None:
    """A fault after the end has no effect."""
    body = RequestBody(limit_bytes=10**9)
    body.feed(b"whole")
    body.finish()
    body.fail(MalformedMessageError("late"))
    assert await body.read() == b"whole"


async def test_a_cancelled_read_leaves_no_waiter() -> None:
    """Later parts wake no task, and another ``read`` returns the whole body."""
    body = RequestBody(limit_bytes=10**9)
    task = await reading(body)
    task.cancel()
    await asyncio.wait([task])
    body.feed(b"a")
    body.finish()
    assert await body.read() == b"a"


async def test_very_small_parts_are_put_together() -> None:
    """A body received byte by byte is stored as bytes, not as a million objects."""
    body, count = RequestBody(limit_bytes=10**9), 1543
    expected = bytes(number % 251 for number in range(count))
    for byte in expected:
        body.feed(bytes((byte,)))
    assert body._parts is not None
    assert sys.getsizeof(body._parts) < 2 * count
    body.finish()
    assert await body.read() == expected


async def test_a_view_is_copied_before_it_changes() -> None:
    """Parts may be views of a buffer that is reused at once."""
    body, buffer = RequestBody(limit_bytes=10**9), bytearray(b"ab")
    for letters in (b"cd", b"ef", b"gh"):
        body.feed(memoryview(buffer))
        buffer[:] = letters
    body.finish()
    assert await body.read() == b"abcdef"


async def test_read_does_not_copy_a_large_body() -> None:
    """No second buffer of its size is allocated while it is read."""
    size_bytes, part = 8 * 1024 * 1024, bytes(64 * 1024)
    body = RequestBody(limit_bytes=10**9)
    for _ in range(size_bytes // len(part)):
        body.feed(part)
    body.finish()
    tracemalloc.start()
    try:
        whole = await body.read()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(whole) == size_bytes
    assert peak_bytes < size_bytes * 1.2  # the buffer that is shrunk to what is in it is counted anew


@pytest.mark.parametrize(
    "length_bytes", [PREALLOCATE_FROM_BYTES, PREALLOCATE_FROM_BYTES + 1, 8 * 1024 * 1024 + 5]
)
@pytest.mark.parametrize("part_bytes", [4096, 250_000, 3 * 1024 * 1024])
async def test_a_body_of_known_length_has_its_bytes_in_order(length_bytes: int, part_bytes: int) -> None:
    """The body is the same for any length and any split into parts."""
    expected = b"".join(number.to_bytes(4, "big") for number in range(length_bytes // 4 + 1))[:length_bytes]
    body = RequestBody(limit_bytes=10**9, length_bytes=length_bytes)
    for at in range(0, length_bytes, part_bytes):
        body.feed(memoryview(expected)[at : at + part_bytes])
        assert body.size_bytes == min(length_bytes, at + part_bytes)
    body.finish()
    assert await body.read() == expected


async def test_a_large_body_of_known_length_is_preallocated_once() -> None:
    """After a sixteenth the whole buffer is allocated, and then never moved, shrunk or copied."""
    size_bytes, part = 8 * 1024 * 1024, b"x" * (64 * 1024)
    body = RequestBody(limit_bytes=10**9, length_bytes=size_bytes)
    rooms: list[int] = []
    for _ in range(size_bytes // len(part)):
        body.feed(part)
        rooms.append(0 if body._parts is None else sys.getsizeof(body._parts))
    body.finish()
    made_at = size_bytes // PREALLOCATE_DIVISOR // len(part) - 1
    assert max(rooms[:made_at]) < size_bytes // PREALLOCATE_DIVISOR * 1.2
    assert {room // size_bytes for room in rooms[made_at:]} == {1}
    tracemalloc.start()
    try:
        whole = await body.read()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert whole == b"x" * size_bytes
    assert peak_bytes < 10_000


async def test_an_announced_length_reserves_nothing_by_itself() -> None:
    """A client that announces much and sends little costs little memory."""
    body = RequestBody(limit_bytes=10**9, length_bytes=60_000_000)
    for _ in range(100):
        body.feed(b"x" * 1000)
    assert body._parts is not None
    assert sys.getsizeof(body._parts) < 150_000
