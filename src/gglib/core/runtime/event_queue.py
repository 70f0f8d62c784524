"""The queue of one subscriber to events: bounded, so that a slow subscriber costs no memory. Pure."""

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

E = TypeVar("E")


class EventQueue(Generic[E]):
    """Events in their order. A full queue drops all its events, and has ``lost`` in their place."""

    __slots__ = ("_events", "_limit", "_lost")

    def __init__(self, limit: int, lost: E) -> None:
        self._limit = limit
        self._lost = lost
        self._events: deque[E] = deque()

    def __bool__(self) -> bool:
        """Whether there are events."""
        return bool(self._events)

    def put(self, event: E) -> None:
        """Add an event; if the queue is full, ``lost`` replaces it and all events in the queue."""
        if len(self._events) >= self._limit:
            self._events.clear()
            event = self._lost
        self._events.append(event)

    def take_first(self) -> E:
        """Remove and return the oldest event. Raises IndexError if there is none."""
        return self._events.popleft()

    def take_all(self) -> Sequence[E]:
        """Remove and return all events."""
        taken = tuple(self._events)
        self._events.clear()
        return taken
