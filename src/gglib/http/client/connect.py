"""Opens sockets to engines, and distinguishes an engine that is busy from one that is not there.

An engine whose listen backlog is full (it is stopped, swapped out or overrun) takes no connection for now. The event
loops do not report that: asyncio takes a unix socket whose ``connect`` answered EAGAIN for connected, uvloop raises an
OSError like any other, and over TCP the kernel repeats its SYN without a word. Only ECONNREFUSED and ENOENT mean that
nothing listens.
"""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from gglib.http.errors import ConnectError, TooManyConnectionsError

RECEIVE_BUFFER_BYTES = 32 * 1024
_OUT_OF_DESCRIPTORS = frozenset((errno.EMFILE, errno.ENFILE))

ProtocolFactory = Callable[[], asyncio.Protocol]


class Origin(Protocol):
    """Where a server is reached. One that goes on may be a new object each time: its address is what it is known by."""

    @property
    def base_url(self) -> str:
        """Scheme and authority, without a trailing slash."""
        ...

    @property
    def unix_socket(self) -> str | None:
        """When set, connections go to this path, and ``base_url`` only fills the Host header."""
        ...

    @property
    def bearer_key(self) -> str | None:
        """What every request is authorized by; None for none."""
        ...


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """An origin that is its address and nothing else."""

    base_url: str
    unix_socket: str | None = None
    bearer_key: str | None = field(default=None, repr=False)


class ServerBusyError(Exception):
    """The server listens, but its backlog is full: another attempt may succeed."""


def origin_header_lines(origin: Origin) -> bytes:
    """Return the header lines that every request to this origin has."""
    lines = b"host: %b\r\n" % urlsplit(origin.base_url).netloc.encode()
    if origin.bearer_key is not None:
        lines += b"authorization: Bearer %b\r\n" % origin.bearer_key.encode()
    return lines


def connect_error(error: Exception) -> ConnectError | TooManyConnectionsError:
    """Return what the failure of ``connect`` is to a request."""
    if isinstance(error, OSError) and error.errno in _OUT_OF_DESCRIPTORS:
        return TooManyConnectionsError()
    return ConnectError()


async def connect(origin: Origin, factory: ProtocolFactory, *, connect_timeout_s: float) -> None:
    """Connect once, with the protocol that ``factory`` makes.

    Raises ``ServerBusyError``; ``OSError`` where nothing listens or nothing answers in ``connect_timeout_s``;
    ``ValueError`` for an address that is none.
    """
    if origin.unix_socket is not None:
        await _connect_unix(origin.unix_socket, factory)
        return
    host, port = _host_and_port(origin.base_url)
    address = _ip_address(host)
    try:
        async with asyncio.timeout(connect_timeout_s):
            if address is None:  # a name, not an address
                await asyncio.get_running_loop().create_connection(factory, host, port)
            else:
                await _connect_tcp(host, port, is_v6=address.version == 6, factory=factory)
    except TimeoutError:
        if host == "localhost" or (address is not None and address.is_loopback):
            raise ServerBusyError from None  # no packet is lost on the way: the backlog is full
        raise


async def _connect_unix(path: str, factory: ProtocolFactory) -> None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        try:
            sock.connect(path)  # a unix socket connects at once or not at all
        except BlockingIOError:
            raise ServerBusyError from None
        await asyncio.get_running_loop().create_unix_connection(factory, sock=sock)
    except BaseException:
        sock.close()
        raise


async def _connect_tcp(host: str, port: int, *, is_v6: bool, factory: ProtocolFactory) -> None:
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
def _host_and_port(base_url: str) -> tuple[str, int]:
    parts = urlsplit(base_url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"A server's address must begin with http://, not {parts.scheme!r}.")
    return parts.hostname, parts.port or 80
