"""The memory budget for the bodies of all requests. Pure: bytes and owners, no sockets.

Bodies count by the bytes received, not by their ``Content-Length``: a stalled upload holds what it has sent. The first
``UNCOUNTED_BYTES`` of each are not counted, so that uploads do not delay ordinary requests. While the budget is
exhausted, only the oldest unfinished body is read: it reaches its end or its deadline, so bodies cannot deadlock. It
may exceed the budget by the size of one body. Finished bodies count until their requests have been served, which may
take minutes; if they leave no room, the oldest unfinished body waits too.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

UNCOUNTED_BYTES = 64 * 1024
"""As much as a connection may pipeline in any case."""
READ_BYTES = 256 * 1024
"""The most that one read returns. ``admit`` resumes one body per ``READ_BYTES`` of free budget, rounded up."""

Owner = TypeVar("Owner", bound=Hashable)


class BodyBudget(Generic[Owner]):
    """Counts the bytes of bodies by owner, beyond ``UNCOUNTED_BYTES`` each. ``max_body_bytes`` is the largest body."""

    __slots__ = ("_hard_limit_bytes", "_held", "_limit_bytes", "_unfinished", "_waiting", "held_bytes")

    def __init__(self, limit_bytes: int, *, max_body_bytes: int) -> None:
        self.set_limit(limit_bytes, max_body_bytes=max_body_bytes)
        self._held: dict[Owner, int] = {}
        self._unfinished: dict[Owner, None] = {}
        """Owners of unfinished bodies, the oldest first."""
        self._waiting: dict[Owner, None] = {}
        """Owners whose reading is paused, the longest waiting first."""
        self.held_bytes = 0
        """The counted bytes of all bodies."""

    def set_limit(self, limit_bytes: int, *, max_body_bytes: int) -> None:
        """Replace the limits. The caller resumes the bodies that ``admit`` then returns."""
        self._limit_bytes = limit_bytes
        self._hard_limit_bytes = limit_bytes + max_body_bytes

    def grow(self, owner: Owner, size_bytes: int) -> bool:
        """Record the current size of a body, and return whether more of the body may be read.

        If not, a later ``admit`` returns the owner.
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
        """Mark a body as complete: it stays counted until ``release``."""
        self._unfinished.pop(owner, None)
        self._waiting.pop(owner, None)

    def release(self, owner: Owner) -> None:
        """Stop counting a body."""
        self.finish(owner)
        self.held_bytes -= self._held.pop(owner, 0)

    def admit(self) -> list[Owner]:
        """Return the waiting owners whose bodies may be read again."""
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
        """Whether a body is the oldest unfinished one, and may exceed the budget."""
        if next(iter(self._unfinished)) != owner:
            return False
        are_all_unfinished = len(self._held) == len(self._unfinished)
        return are_all_unfinished or self.held_bytes < self._hard_limit_bytes
