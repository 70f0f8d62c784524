"""Notices clients that leave while nothing is read from them.

An event loop learns of a peer's end by reading. What is not read hides it: a client that had sent ahead, or whose body
waits for room, and then left, was noticed when its answer was written. Linux separates it from data (``EPOLLRDHUP``,
since 2.6.17); elsewhere nothing is reported here, and such a client is noticed when it is written to.
"""

import asyncio
import contextlib
import select
from collections.abc import Callable


class DisconnectWatcher:
    """Watches sockets for the end of their other side; ``close`` must follow."""

    __slots__ = ("_callbacks", "_loop", "_poll")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._poll = select.epoll() if hasattr(select, "epoll") else None
        if self._poll is not None:
            self._loop.add_reader(self._poll.fileno(), self._report)

    def watch(self, descriptor: int, on_disconnect: Callable[[], None]) -> None:
        """Call ``on_disconnect`` once, when the peer has closed its side or reset the connection, even before now."""
        if self._poll is not None and descriptor not in self._callbacks:
            self._callbacks[descriptor] = on_disconnect
            self._poll.register(descriptor, select.EPOLLRDHUP)

    def unwatch(self, descriptor: int) -> None:
        """Watch a socket no more. To be called before it is closed; does nothing where it is not watched."""
        if self._poll is not None and self._callbacks.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError):  # the loop has closed it, which ended the watch
                self._poll.unregister(descriptor)

    def close(self) -> None:
        """Watch nothing any more."""
        if self._poll is not None:
            self._loop.remove_reader(self._poll.fileno())
            self._poll.close()
            self._callbacks.clear()

    def _report(self) -> None:
        left = [] if self._poll is None else self._poll.poll(0)
        for descriptor, _ in left:
            on_disconnect = self._callbacks.get(descriptor)
            self.unwatch(descriptor)
            if on_disconnect is not None:
                on_disconnect()
