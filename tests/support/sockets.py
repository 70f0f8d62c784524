"""Sockets for servers of tests."""

import socket


def bound_socket() -> socket.socket:
    """Return a listener on a free loopback port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener
