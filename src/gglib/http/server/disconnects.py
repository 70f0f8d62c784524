"""Detects clients that disconnect while reading is paused.

An event loop detects EOF by reading, and unread data hides it: a client that had pipelined data, or whose body waits
for memory, and then disconnected, was detected only when its response was written. Linux reports EOF separately from
data (``EPOLLRDHUP``, since 2.6.17). On other systems nothing is reported here, and writing the response fails.
"""

import asyncio
import contextlib
import select
from collections.abc import Callable


class DisconnectWatcher:
    """Watches sockets for EOF from the peer. Must be closed."""

    __slots__ = ("_callbacks", "_loop", "_poll")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._poll = select.epoll() if hasattr(select, "epoll") else None
        if self._poll is not None:
            self._loop.add_reader(self._poll.fileno(), self._report)

    def watch(self, descriptor: int, on_disconnect: Callable[[], None]) -> None:
        """Call ``on_disconnect`` once, when the peer has closed its side or reset the connection."""
        if self._poll is not None and descriptor not in self._callbacks:
            self._callbacks[descriptor] = on_disconnect
            self._poll.register(descriptor, select.EPOLLRDHUP)

    def unwatch(self, descriptor: int) -> None:
        """Stop watching a socket; call before closing it. Does nothing if it is not watched."""
        if self._poll is not None and self._callbacks.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError):  # the loop has closed it, which removed it from epoll
                self._poll.unregister(descriptor)

    def close(self) -> None:
        """Stop watching all sockets."""
        if self._poll is not None:
            self._loop.remove_reader(self._poll.fileno())
            self._poll.close()
            self._callbacks.clear()

    def _report(self) -> None:
        events = [] if self._poll is None else self._poll.poll(0)
        for descriptor, _ in events:
            on_disconnect = self._callbacks.get(descriptor)
            self.unwatch(descriptor)
            if on_disconnect is not None:
                on_disconnect()
