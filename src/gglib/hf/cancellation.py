"""How a download in threads is ended from outside, within a fraction of a second.

A thread that waits in ``recv`` or ``connect`` looks at no flag: its socket is shut down under it. One that pauses
waits on the flag itself.
"""

import contextlib
import socket
import threading


class StoppedError(Exception):
    """The work was told to stop."""


class Stop:
    """Told once; everybody who works for the same caller looks at it. A child hears of its parent's stop too."""

    def __init__(self, parent: "Stop | None" = None) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._children: set[Stop] = set()
        self._parent = parent
        if parent is not None:
            parent._adopt(self)  # noqa: SLF001 - of the same class

    @property
    def is_set(self) -> bool:
        """Whether it was told."""
        return self._event.is_set()

    def set(self) -> None:
        """End every wait, here and in the children."""
        with self._lock:
            self._event.set()
            sockets, children = tuple(self._sockets), tuple(self._children)
            for (
                each
            ) in sockets:  # under the lock: nobody closes it meanwhile, so the number is still this socket's
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RDWR)  # of a TLS socket: the TCP below, at once
        for child in children:
            child.set()

    def check(self) -> None:
        """Raise ``StoppedError`` once it was told."""
        if self._event.is_set():
            raise StoppedError

    def pause(self, seconds: float) -> None:
        """Wait, unless it is told to stop, which raises ``StoppedError``."""
        if self._event.wait(seconds):
            raise StoppedError

    def watch(self, connection: socket.socket) -> None:
        """Shut the socket down when told. Raises ``StoppedError`` when that was before."""
        with self._lock:
            if self._event.is_set():
                raise StoppedError
            self._sockets.add(connection)

    def forget(self, connection: socket.socket) -> None:
        """Leave the socket alone; to be called before it is closed."""
        with self._lock:
            self._sockets.discard(connection)

    def leave(self) -> None:
        """End of a child's work: its parent need not tell it any more."""
        if self._parent is not None:
            with self._parent._lock:  # noqa: SLF001 - of the same class
                self._parent._children.discard(self)  # noqa: SLF001

    def _adopt(self, child: "Stop") -> None:
        with self._lock:
            self._children.add(child)
            is_set = self._event.is_set()
        if is_set:
            child.set()
