"""Accepts the connections of a listening socket, also where the process has no descriptor left for one.

The event loops do it in their own ways: asyncio stops listening for a second, uvloop closes what it accepts, which
clients see as a reset. Here some descriptors are kept in reserve: one of them accepts a client, which gets a 503, has
a moment to read that, and is closed. As long as descriptors are missing, a few clients at a time are refused, so that
clients that reconnect at once do not keep the loop busy.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections import deque
from collections.abc import Callable

ACCEPTED_AT_ONCE = 64
"""In one turn of the loop; as many milliseconds at most."""
RESERVED = 8
"""Descriptors with which clients are refused."""
SPARED = 16
"""Descriptors that clients leave to engines, files and the like."""
_PAUSE_S = 0.02
"""After each round of refusals for want of descriptors: 400 clients a second are refused."""
_REFUSED_FOR_S = 1.0
"""How long refused clients may take to read that, at most."""
_UNREAD_BYTES = 64 * 1024
_NO_DESCRIPTOR = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_NOT_OURS = frozenset((errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.EHOSTUNREACH))
"""The client, or a firewall, ended it before it was accepted (accept(2)): the next one may be fine."""


class Acceptor:
    """Hands every connection to ``on_accept``, or answers it with ``refusal()`` and closes it.

    ``make_room`` is asked before a client is refused, and says whether another connection was closed for it.
    """

    __slots__ = (
        "_listener",
        "_loop",
        "_make_room",
        "_on_accept",
        "_pause",
        "_refusal",
        "_refusals_end",
        "_refused",
        "_reserve",
    )

    def __init__(
        self,
        listener: socket.socket,
        *,
        on_accept: Callable[[socket.socket], None],
        make_room: Callable[[], bool],
        refusal: Callable[[], bytes],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._on_accept = on_accept
        self._make_room = make_room
        self._refusal = refusal
        self._refused: deque[socket.socket] = deque()
        self._reserve: list[int] = []
        self._pause: asyncio.TimerHandle | None = None
        self._refusals_end: asyncio.TimerHandle | None = None

    def start(self, backlog: int) -> None:
        """Listen."""
        self._listener.setblocking(False)
        self._listener.listen(backlog)
        self._refill()
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def stop(self) -> None:
        """Accept nothing more, and close the socket."""
        for timer in (self._pause, self._refusals_end):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        while self._refused:
            self._close_oldest()
        while self._reserve:
            os.close(self._reserve.pop())

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR:
                    self._refuse_some()
                    return
                if error.errno not in _NOT_OURS:
                    raise
                continue
            sock.setblocking(False)
            if sock.fileno() < _highest() or self._make_room():
                self._on_accept(sock)
            else:
                self._refuse(sock)

    def _refuse_some(self) -> None:
        """Refuse as many clients as there are descriptors for, and go on in a moment."""
        if not self._make_room():
            for _ in range(RESERVED):
                if self._reserve:
                    os.close(self._reserve.pop())
                elif self._refused:
                    self._close_oldest()
                try:
                    sock, _ = self._listener.accept()
                except OSError:
                    break
                sock.setblocking(False)
                self._refuse(sock)
        self._loop.remove_reader(self._listener.fileno())
        self._pause = self._loop.call_later(_PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _refuse(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client is gone already
            sock.send(self._refusal())
            sock.shutdown(socket.SHUT_WR)
        self._refused.append(sock)
        if len(self._refused) > RESERVED:
            self._close_oldest()
        elif self._refusals_end is None:
            self._refusals_end = self._loop.call_later(_REFUSED_FOR_S, self._close_refused)

    def _close_refused(self) -> None:
        self._refusals_end = None
        while self._refused:
            self._close_oldest()
        self._refill()

    def _close_oldest(self) -> None:
        """Close a refused connection; what it sent is read first, for it would turn the close into a reset."""
        sock = self._refused.popleft()
        with contextlib.suppress(OSError):
            sock.recv(_UNREAD_BYTES)
        sock.close()

    def _refill(self) -> None:
        with contextlib.suppress(OSError):
            while len(self._reserve) < RESERVED:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))


def _highest() -> int:
    """Return the descriptor from which on clients are refused: the kernel always gives the lowest that is free."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return 2**31
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else max(soft - SPARED, 1)
