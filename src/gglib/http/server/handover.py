"""Ends accepting while open connections are served on: another process serves the listener next.

Connections that were not accepted wait in the kernel's queue of the listener, which another process holds, too. A
request must not be lost between the two: what was accepted before is still served here.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_POLL_S = 0.01
_QUIET_POLLS = 5
"""So often in a row no request may be on its way. One that has arrived takes some iterations of the loop until its
handler has begun what must not be refused any more, and so does a connection that was accepted last."""


class DrainingServer(Protocol):
    """What a handover uses of an ``HttpServer``."""

    @property
    def expected_requests(self) -> int:
        """Number of connections whose next request has not arrived completely."""
        ...

    def stop_accepting(self) -> None:
        """Accept no more connections, and close each after its current request."""
        ...

    def close_idle(self) -> None:
        """Close the connections that are between two requests."""
        ...


class Handover:
    """The handover of the listener of one call of ``serve``. Use it in the loop of ``serve`` only."""

    def __init__(self) -> None:
        self._server: DrainingServer | None = None
        self._has_begun = False

    async def begin(self, settle_s: float) -> None:
        """Stop accepting; return when each open connection has sent its request, after ``settle_s`` at the latest.

        Handlers of these requests have begun then, for 50 ms. New requests must be served until the return: a client
        that has just connected has sent its request to this process.
        Idle connections close, as after the keep-alive timeout; the others after their response.
        """
        self._has_begun = True
        if self._server is None:
            return
        self._server.stop_accepting()
        end_s = asyncio.get_running_loop().time() + settle_s
        quiet_polls = 0
        # First: the loop reads the requests that have arrived on connections that were idle.
        await asyncio.sleep(_POLL_S)
        while (server := self._server) is not None:
            server.close_idle()
            quiet_polls = 0 if server.expected_requests else quiet_polls + 1
            if quiet_polls == _QUIET_POLLS or asyncio.get_running_loop().time() >= end_s:
                return
            await asyncio.sleep(_POLL_S)

    @contextmanager
    def attached(self, server: DrainingServer) -> Iterator[None]:
        """Hand over the listener of ``server`` during the block; at once if the handover has begun."""
        self._server = server
        if self._has_begun:
            server.stop_accepting()
        try:
            yield
        finally:
            self._server = None
