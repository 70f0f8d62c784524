"""Cancels a download that runs in threads, from outside, within a fraction of a second.

A thread that blocks in ``recv`` or ``connect`` checks no flag: its socket is shut down instead. A thread that sleeps
waits on the flag itself.
"""

import contextlib
import socket
import threading


class OperationCancelledError(Exception):
    """The work was cancelled."""


class CancelToken:
    """A one-shot cancellation signal, shared by all work of one caller. Cancelling a parent cancels its children."""

    def __init__(self, parent: "CancelToken | None" = None) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._children: set[CancelToken] = set()
        self._parent = parent
        if parent is not None:
            parent._attach(self)  # noqa: SLF001 - of the same class

    @property
    def is_cancelled(self) -> bool:
        """Whether the token was cancelled."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Wake every sleep and shut down every registered socket, here and in the children."""
        with self._lock:
            self._event.set()
            sockets, children = tuple(self._sockets), tuple(self._children)
            for each in (
                sockets
            ):  # under the lock: no other thread closes it, so the descriptor is still this socket's
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(
                        each, socket.SHUT_RDWR
                    )  # of a TLS socket: the TCP connection below
        for child in children:
            child.cancel()

    def raise_if_cancelled(self) -> None:
        """Raise ``OperationCancelledError`` if the token was cancelled."""
        if self._event.is_set():
            raise OperationCancelledError

    def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds``. Raises ``OperationCancelledError`` as soon as the token is cancelled."""
        if self._event.wait(seconds):
            raise OperationCancelledError

    def register(self, connection: socket.socket) -> None:
        """Shut the socket down on cancel. Raises ``OperationCancelledError`` if the token is cancelled already."""
        with self._lock:
            if self._event.is_set():
                raise OperationCancelledError
            self._sockets.add(connection)

    def unregister(self, connection: socket.socket) -> None:
        """Stop watching the socket; call this before the socket is closed."""
        with self._lock:
            self._sockets.discard(connection)

    def detach(self) -> None:
        """Unlink a child from its parent at the end of the child's work."""
        if self._parent is not None:
            with self._parent._lock:  # noqa: SLF001 - of the same class
                self._parent._children.discard(self)  # noqa: SLF001

    def _attach(self, child: "CancelToken") -> None:
        with self._lock:
            self._children.add(child)
            is_set = self._event.is_set()
        if is_set:
            child.cancel()
