"""The bounded queue of a subscriber."""

import pytest

from gglib.core.runtime.event_queue import EventQueue


def test_events_come_in_their_order() -> None:
    """One at a time, or all."""
    queue = EventQueue[str](5, "lost")
    assert not queue
    for event in "abc":
        queue.put(event)
    assert queue
    assert queue.take_first() == "a"
    assert list(queue.take_all()) == ["b", "c"]
    with pytest.raises(IndexError):
        queue.take_first()


def test_a_full_queue_begins_anew() -> None:
    """With the event that says so."""
    queue = EventQueue[str](2, "lost")
    for event in "abcd":
        queue.put(event)
    assert list(queue.take_all()) == ["lost", "d"]
