"""Accepts the connections of a listening socket, and refuses them with 503 when the process is out of descriptors.

The event loops handle EMFILE differently: asyncio stops accepting for a second, uvloop closes accepted connections,
which clients see as a reset. This module keeps some descriptors in reserve: it frees a descriptor, accepts a client,
sends a 503, and closes the connection after the client had time to read the response. Few clients are refused at a
time, so that clients that reconnect at once do not keep the loop busy.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections import deque
from collections.abc import Callable

MAX_ACCEPTS_PER_ITERATION = 64
"""Connections accepted per iteration of the loop. Accepting one takes at most a millisecond."""
RESERVED_DESCRIPTORS = 8
"""Descriptors kept for refusing clients."""
SPARE_DESCRIPTORS = 16
"""Descriptors that client connections leave free for engines and files."""
_REFUSAL_PAUSE_S = 0.02
"""Pause after each batch of refusals when out of descriptors: at most 400 clients a second are refused."""
_REFUSAL_READ_S = 1.0
"""How long refused clients have to read their response."""
_DISCARD_READ_BYTES = 64 * 1024
"""How much input of a refused connection is discarded before closing."""
_OUT_OF_DESCRIPTORS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_CLIENT_ABORTED = frozenset(
    (errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.EHOSTUNREACH)
)
"""The client or a firewall closed the connection before it was accepted (accept(2)); the next accept may succeed."""


class Acceptor:
    """Passes every connection to ``on_accept``, or sends ``build_refusal()`` and closes it.

    Before a client is refused, ``close_idle`` is called: it closes an idle connection, or returns False.
    """

    __slots__ = (
        "_build_refusal",
        "_close_idle",
        "_close_refused_timer",
        "_listener",
        "_loop",
        "_on_accept",
        "_refused",
        "_reserve",
        "_resume_timer",
    )

    def __init__(
        self,
        listener: socket.socket,
        *,
        on_accept: Callable[[socket.socket], None],
        close_idle: Callable[[], bool],
        build_refusal: Callable[[], bytes],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._on_accept = on_accept
        self._close_idle = close_idle
        self._build_refusal = build_refusal
        self._refused: deque[socket.socket] = deque()
        self._reserve: list[int] = []
        self._resume_timer: asyncio.TimerHandle | None = None
        self._close_refused_timer: asyncio.TimerHandle | None = None

    def start(self, backlog: int) -> None:
        """Start accepting, and listening if the socket does not listen yet.

        A listener that another process opened keeps the backlog that it has.
        """
        self._listener.setblocking(False)
        if not _is_listening(self._listener):
            self._listener.listen(backlog)
        self._refill_reserve()
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def pause(self) -> None:
        """Stop accepting: connections wait in the queue of the listener, for another process that holds it."""
        if self._resume_timer is not None:
            self._resume_timer.cancel()
            self._resume_timer = None
        self._loop.remove_reader(self._listener.fileno())

    def stop(self) -> None:
        """Stop accepting and close the socket; another process that holds it keeps it open."""
        self.pause()
        if self._close_refused_timer is not None:
            self._close_refused_timer.cancel()
        self._listener.close()
        while self._refused:
            self._close_oldest()
        while self._reserve:
            os.close(self._reserve.pop())

    def _accept(self) -> None:
        for _ in range(MAX_ACCEPTS_PER_ITERATION):
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _OUT_OF_DESCRIPTORS:
                    self._refuse_with_reserve()
                    return
                if error.errno not in _CLIENT_ABORTED:
                    raise
                continue
            sock.setblocking(False)
            if sock.fileno() < _descriptor_limit() or self._close_idle():
                self._on_accept(sock)
            else:
                self._refuse(sock)

    def _refuse_with_reserve(self) -> None:
        """Refuse as many clients as the reserve allows, then pause accepting."""
        if not self._close_idle():
            for _ in range(RESERVED_DESCRIPTORS):
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
        self._resume_timer = self._loop.call_later(_REFUSAL_PAUSE_S, self._resume_accepting)

    def _resume_accepting(self) -> None:
        self._resume_timer = None
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _refuse(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has disconnected
            sock.send(self._build_refusal())
            sock.shutdown(socket.SHUT_WR)
        self._refused.append(sock)
        if len(self._refused) > RESERVED_DESCRIPTORS:
            self._close_oldest()
        elif self._close_refused_timer is None:
            self._close_refused_timer = self._loop.call_later(_REFUSAL_READ_S, self._close_refused)

    def _close_refused(self) -> None:
        self._close_refused_timer = None
        while self._refused:
            self._close_oldest()
        self._refill_reserve()

    def _close_oldest(self) -> None:
        """Close the oldest refused connection. Read its input first: with unread data, closing sends a reset."""
        sock = self._refused.popleft()
        with contextlib.suppress(OSError):
            sock.recv(_DISCARD_READ_BYTES)
        sock.close()

    def _refill_reserve(self) -> None:
        with contextlib.suppress(OSError):
            while len(self._reserve) < RESERVED_DESCRIPTORS:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))


def _is_listening(listener: socket.socket) -> bool:
    try:
        return listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    except OSError:  # a system without this option
        return False


def _descriptor_limit() -> int:
    """Return the lowest descriptor that no client may get; the kernel assigns the lowest free descriptor."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return 2**31
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else max(soft - SPARE_DESCRIPTORS, 1)
