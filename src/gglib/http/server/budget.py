"""How much of the bodies of all requests may be in memory at the same time. Pure: bytes and owners, no sockets.

Bodies are counted as they come, not as they are announced: an upload that never ends holds what it has sent. The first
``UNCOUNTED_BYTES`` of each are not counted, so that ordinary requests pass however many uploads there are. While the
budget is exhausted, only the oldest unfinished body is read: it reaches its end or its deadline, and no two bodies wait
for each other. It may exceed the budget by the size of one body. Finished bodies count until their requests have been
served, which may take minutes; if they leave no room, the oldest unfinished body waits too.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

UNCOUNTED_BYTES = 64 * 1024
"""As much as a connection may send ahead anyway."""
READ_BYTES = 256 * 1024
"""What one read brings at most: as many waiting bodies go on as there is room for one read of each."""

Owner = TypeVar("Owner", bound=Hashable)


class BodyBudget(Generic[Owner]):
    """Counts the bytes of bodies by their owner, beyond the free ones. ``body_bytes`` is the largest body's size."""

    __slots__ = ("_hard_limit_bytes", "_held", "_limit_bytes", "_unfinished", "_waiting", "held_bytes")

    def __init__(self, limit_bytes: int, *, body_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._hard_limit_bytes = limit_bytes + body_bytes
        self._held: dict[Owner, int] = {}
        self._unfinished: dict[Owner, None] = {}
        """Owners of bodies that have not ended, the oldest first."""
        self._waiting: dict[Owner, None] = {}
        """Owners that were not allowed to go on, the one that waits the longest first."""
        self.held_bytes = 0

    def grow(self, owner: Owner, size_bytes: int) -> bool:
        """Note that a body has this size by now, and return whether more of it may be read.

        Where not, the owner is among those that ``admit`` returns once there is room.
        """
        held_bytes = size_bytes - UNCOUNTED_BYTES
        if held_bytes <= 0:
            return True
        self.held_bytes += held_bytes - self._held.get(owner, 0)
        self._held[owner] = held_bytes
        self._unfinished[owner] = None
        if self.held_bytes < self._limit_bytes or self._may_exceed(owner):
            return True
        self._waiting[owner] = None
        return False

    def finish(self, owner: Owner) -> None:
        """Note that a body has ended: it is held, and grows no more."""
        self._unfinished.pop(owner, None)
        self._waiting.pop(owner, None)

    def release(self, owner: Owner) -> None:
        """Note that a body is held no more."""
        self.finish(owner)
        self.held_bytes -= self._held.pop(owner, 0)

    def admit(self) -> list[Owner]:
        """Return the owners that waited and may go on now."""
        room = max(0, -(-(self._limit_bytes - self.held_bytes) // READ_BYTES))
        admitted = list(self._waiting)[:room]
        admitted += [
            oldest
            for oldest in list(self._unfinished)[:1]
            if oldest in self._waiting and oldest not in admitted and self._may_exceed(oldest)
        ]
        for owner in admitted:
            del self._waiting[owner]
        return admitted

    def _may_exceed(self, owner: Owner) -> bool:
        """Whether a body is the oldest that has not ended, and goes on although the budget is used up."""
        if next(iter(self._unfinished)) != owner:
            return False
        has_none_ended = len(self._held) == len(self._unfinished)
        return has_none_ended or self.held_bytes < self._hard_limit_bytes
