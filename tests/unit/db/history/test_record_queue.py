"""The queue is bounded: by requests, and by bodies."""

from dataclasses import replace

from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.db.history.writing.record_queue import BATCH_BODY_BYTES, BATCH_RECORDS, RecordQueue

PLAIN = RequestRecord("POST", "/", "a", 200, "r", 0.5, 1.0, 2.0, 1, False, None)


def test_what_does_not_fit_is_lost() -> None:
    """And counted; the older ones stay."""
    queue = RecordQueue(3)
    queue.add([PLAIN, PLAIN])
    queue.add([replace(PLAIN, request_id="last"), PLAIN, PLAIN])
    queue.add([PLAIN])
    assert (len(queue), queue.lost, queue.added) == (3, 3, 3)
    taken = queue.take()
    assert [record.request_id for record in taken] == ["r", "r", "last"]
    assert queue.wake.is_set()


def test_what_is_put_back_comes_first() -> None:
    """In its order, also beyond the limit."""
    queue = RecordQueue(2)
    queue.add([replace(PLAIN, request_id="1"), replace(PLAIN, request_id="2")])
    taken = queue.take()
    queue.add([replace(PLAIN, request_id="3")])
    queue.put_back(taken)
    queue.add([PLAIN])
    assert [record.request_id for record in queue.take()] == ["1", "2", "3"]
    assert queue.lost == 1


def test_batches_are_bounded() -> None:
    """By requests and by the bytes of bodies."""
    queue = RecordQueue()
    queue.add([PLAIN] * (BATCH_RECORDS + 1))
    assert (len(queue.take()), len(queue.take())) == (BATCH_RECORDS, 1)
    large = RecordedBodies(b"x" * (BATCH_BODY_BYTES // 2), b"y")
    queue.add([replace(PLAIN, bodies=large) for _ in range(5)])
    assert (len(queue.take()), len(queue.take()), len(queue.take())) == (2, 2, 1)


def with_bodies(request_id: str) -> RequestRecord:
    """Return a request whose bodies have 10 bytes."""
    return replace(PLAIN, request_id=request_id, bodies=RecordedBodies(b"request", b"abc"))


def recorded_ids(queue: RecordQueue) -> list[str]:
    """Take a batch; return the ids of its requests that have bodies."""
    return [record.request_id for record in queue.take() if record.bodies is not None]


def test_bodies_beyond_the_limit_are_dropped() -> None:
    """They would fill the memory; the requests stay."""
    queue = RecordQueue(max_body_bytes=20)
    queue.add([with_bodies("1"), PLAIN, with_bodies("2"), with_bodies("3")])
    queue.add([with_bodies("4")])
    assert (len(queue), queue.dropped_bodies, queue.lost) == (5, 2, 0)
    assert recorded_ids(queue) == ["1", "2"]
    queue.add([with_bodies("5")])
    assert recorded_ids(queue) == ["5"]


def test_bodies_that_are_put_back_take_their_room() -> None:
    """As long as nothing can be written."""
    queue = RecordQueue(max_body_bytes=20)
    queue.add([with_bodies("1"), with_bodies("2")])
    queue.put_back(queue.take())
    queue.add([with_bodies("3")])
    assert recorded_ids(queue) == ["1", "2"]
    queue.add([with_bodies("4"), with_bodies("5")])
    assert recorded_ids(queue) == ["4", "5"]
