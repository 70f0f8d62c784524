"""Opens sockets to engines, and distinguishes an engine that is busy from one that is not there.

An engine whose listen backlog is full (it is stopped, swapped out or overrun) takes no connection for now. The event
loops do not report that: asyncio takes a unix socket whose ``connect`` answered EAGAIN for connected, uvloop raises an
OSError like any other, and over TCP the kernel repeats its SYN without a word. Only ECONNREFUSED and ENOENT mean that
nothing listens.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from gglib.core.models import RunningTarget

RECEIVE_BUFFER_BYTES = 32 * 1024

Factory = Callable[[], asyncio.Protocol]


class EngineBusyError(Exception):
    """The engine listens, but its backlog is full: another attempt may succeed."""


async def dial(target: RunningTarget, factory: Factory, *, connect_timeout_s: float) -> None:
    """Connect once, with the protocol that ``factory`` makes.

    Raises ``EngineBusyError``; ``OSError`` where nothing listens or nothing answers in ``connect_timeout_s``;
    ``ValueError`` for an address that is none.
    """
    if target.unix_socket is not None:
        await _dial_unix(target.unix_socket, factory)
        return
    host, port = _address(target.base_url)
    address = _ip_address(host)
    try:
        async with asyncio.timeout(connect_timeout_s):
            if address is None:  # a name: no engine that gglib launched
                await asyncio.get_running_loop().create_connection(factory, host, port)
            else:
                await _dial_tcp(host, port, is_v6=address.version == 6, factory=factory)
    except TimeoutError:
        if host == "localhost" or (address is not None and address.is_loopback):
            raise EngineBusyError from None  # no packet is lost on the way: the backlog is full
        raise


async def _dial_unix(path: str, factory: Factory) -> None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        try:
            sock.connect(path)  # a unix socket connects at once or not at all
        except BlockingIOError:
            raise EngineBusyError from None
        await asyncio.get_running_loop().create_unix_connection(factory, sock=sock)
    except BaseException:
        sock.close()
        raise


async def _dial_tcp(host: str, port: int, *, is_v6: bool, factory: Factory) -> None:
    """Connect with a small receive buffer: the kernel would let it grow to megabytes for a client that does not read.

    It has to be set before the connection is made.
    """
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        await loop.sock_connect(sock, (host, port))
        await loop.create_connection(factory, sock=sock)
    except BaseException:
        sock.close()
        raise


@lru_cache(maxsize=256)
def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _address(base_url: str) -> tuple[str, int]:
    parts = urlsplit(base_url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"A target's address must begin with http://, not {parts.scheme!r}.")
    return parts.hostname, parts.port or 80
