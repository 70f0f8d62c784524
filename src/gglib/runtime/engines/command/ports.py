"""A port of 127.0.0.1 for a program that needs its port before it starts."""

import socket


class ReservedPort:
    """A port that the kernel chose. While it is reserved, no other program gets it.

    The program can bind it only after ``release``, so another one may be faster. That window is a few milliseconds, and
    the kernel chooses another port for programs that ask for any.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.bind(("127.0.0.1", 0))
        except OSError:
            self._socket.close()
            raise
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        """Make the port available; a socket that never listened leaves nothing behind."""
        self._socket.close()
