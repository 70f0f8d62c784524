"""The exchanges that go on with each target, and those that need one for themselves.

Theory of operation. A *lane* is one target. Every exchange enters its lane and leaves it; that costs two counts. An
exchange that its engine failed because of others is done again, *alone*: it takes a turn. As long as there are turns
the lane is reserved: nothing new enters, what is there ends, and then the turns go one after the other, oldest first.
Those that wait to enter do so when there are no turns any more.

It knows nothing of models, HTTP or why an exchange has to be alone.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from gglib.core.models import RunningTarget

_SWEPT_FROM = 64
"""So many lanes are kept before those without traffic are dropped: each launch of a model is a target of its own."""


class NotAloneError(Exception):
    """The others did not end in time."""


class Lane:
    """The exchanges with one target."""

    __slots__ = ("_begun", "_in_flight", "_turns", "_waiting")

    def __init__(self) -> None:
        self._begun = 0
        self._in_flight = 0
        self._turns: deque[asyncio.Future[None]] = deque()
        """Exchanges that are alone or wait to be; done is the one that is, and then it is the first."""
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing goes on, and nothing waits."""
        return not (self._in_flight or self._turns or self._waiting)

    async def opened(self) -> None:
        """Return when nothing is reserved."""
        while self._turns:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)

    def enter(self) -> int | None:
        """Count an exchange that begins, and return a number for ``had_company``; None while the lane is reserved."""
        if self._turns:
            return None
        self._in_flight += 1
        self._begun += 1
        return self._begun if self._in_flight == 1 else 0

    def had_company(self, entry: int | None) -> bool:
        """Whether another exchange went on beside this one, at its begin or since."""
        return entry != self._begun

    def leave(self) -> None:
        """Count an exchange that has ended."""
        self._in_flight -= 1
        if self._turns:
            self._give_turn()

    @asynccontextmanager
    async def alone(self, limit_s: float) -> AsyncIterator[None]:
        """Have the lane for a block in which nothing else goes on; the caller has left it before.

        Raises ``NotAloneError`` when that takes longer than ``limit_s``.
        """
        turn = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            self._give_turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await turn
            if not turn.done() or turn.cancelled():
                raise NotAloneError
            yield
        finally:
            self._turns.remove(turn)
            self._give_turn()

    def _give_turn(self) -> None:
        """Let the oldest turn begin when the lane is empty, and all that waits enter when there are no turns."""
        if not self._turns:
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_result(None)
        elif not self._in_flight and not self._turns[0].done():
            self._turns[0].set_result(None)


class Lanes:
    """The lane of each target."""

    __slots__ = ("_lanes",)

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}

    def of(self, target: RunningTarget) -> Lane:
        """Return the lane of a target, by its address."""
        key = target.unix_socket or target.base_url
        lane = self._lanes.get(key)
        return self._add(key) if lane is None else lane

    def _add(self, key: str) -> Lane:
        if len(self._lanes) >= _SWEPT_FROM:
            self._lanes = {known: lane for known, lane in self._lanes.items() if not lane.is_idle}
        lane = self._lanes[key] = Lane()
        return lane
