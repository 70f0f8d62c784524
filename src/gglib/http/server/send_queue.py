"""Counts the bytes that a socket has not delivered yet: the only way to see that a slow client reads.

The transport's buffer shrinks only when the kernel accepts more, which it does only after much of its own buffer has
been delivered. A client that reads 2,000 bytes every 6 s into a buffer of 4 KB moves the transport's buffer less than
once a minute, but the kernel's queue every 6 to 24 s (measured on Linux 6, loopback).
"""

import array
import asyncio
import contextlib
import socket
import sys

_SIOCOUTQ = 0x5411
"""Linux: ``SIOCOUTQ``, bytes that the peer has not acknowledged, sent or not (tcp(7))."""
_SO_NWRITE = 0x1024
"""macOS: bytes in the send buffer (setsockopt(2))."""


def unsent_bytes(transport: asyncio.Transport) -> int:
    """Return the number of bytes queued in the transport and, where it reports them, in the kernel."""
    queued = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return queued
    with contextlib.suppress(OSError, ValueError):  # the client has disconnected
        queued += _queued_bytes(sock)
    return queued


if sys.platform == "linux":
    import fcntl

    def _queued_bytes(sock: socket.socket) -> int:
        size = array.array("i", [0])
        fcntl.ioctl(sock.fileno(), _SIOCOUTQ, size)
        return size[0]

elif sys.platform == "darwin":

    def _queued_bytes(sock: socket.socket) -> int:
        return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)

else:

    def _queued_bytes(sock: socket.socket) -> int:
        del sock
        return 0
