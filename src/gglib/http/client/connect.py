"""Connects to servers, and distinguishes a full listen backlog (busy) from a server that is not listening.

A server whose listen backlog is full (it is stopped, swapped out or overloaded) accepts no connection for now. The
event loops do not report that: asyncio treats a unix socket whose ``connect`` returned EAGAIN as connected, uvloop
raises a generic OSError, and over TCP the kernel silently retransmits the SYN. Only ECONNREFUSED and ENOENT mean that
nothing listens.
"""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from gglib.http.client.tls import CaFileError
from gglib.http.errors import ConnectError, TlsError, TlsFault, TooManyConnectionsError

RECEIVE_BUFFER_BYTES = 32 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}
_OUT_OF_DESCRIPTORS = frozenset((errno.EMFILE, errno.ENFILE))

ProtocolFactory = Callable[[], asyncio.Protocol]


class Origin(Protocol):
    """The address of a server. Origins are compared by address; callers may pass a new object each time."""

    @property
    def base_url(self) -> str:
        """Scheme and authority, without a trailing slash."""
        ...

    @property
    def unix_socket(self) -> str | None:
        """If set, the path of the socket to connect to; ``base_url`` then only sets the ``Host`` header."""
        ...

    @property
    def bearer_key(self) -> str | None:
        """Bearer token sent with every request; None for none."""
        ...

    @property
    def ca_file(self) -> str | None:
        """Of an https server: the file of the certificates that are trusted; None: those of the system."""
        ...


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A plain ``Origin``."""

    base_url: str
    unix_socket: str | None = None
    bearer_key: str | None = field(default=None, repr=False)
    ca_file: str | None = None


class ServerBusyError(Exception):
    """The server listens, but its backlog is full: a retry may succeed."""


def origin_header_lines(origin: Origin) -> bytes:
    """Return the header lines that every request to this origin has: ``Host`` and ``Authorization``."""
    lines = b"host: %b\r\n" % urlsplit(origin.base_url).netloc.encode()
    if origin.bearer_key is not None:
        lines += b"authorization: Bearer %b\r\n" % origin.bearer_key.encode()
    return lines


def connect_error(error: Exception) -> ConnectError | TooManyConnectionsError:
    """Map an exception raised by ``connect`` to the error that the request raises."""
    if isinstance(error, CaFileError):
        return TlsError(f"cannot be verified: {error}", TlsFault.UNTRUSTED)
    if isinstance(error, ssl.SSLError):
        return TlsError(_tls_reason(error), tls_fault(error))
    if isinstance(error, OSError) and error.errno in _OUT_OF_DESCRIPTORS:
        return TooManyConnectionsError()
    return ConnectError()


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted ({error.verify_message})"
    words = (error.reason or str(error)).replace("_", " ").lower()
    if tls_fault(error) is TlsFault.NOT_TLS:
        return f"does not speak TLS ({words})"
    return f"cannot be reached: TLS failed ({words})"


_FAULT_OF_CODE = {
    9: TlsFault.NOT_YET_VALID,  # X509_V_ERR_CERT_NOT_YET_VALID
    10: TlsFault.EXPIRED,  # CERT_HAS_EXPIRED
    62: TlsFault.WRONG_NAME,  # HOSTNAME_MISMATCH
    64: TlsFault.WRONG_NAME,  # IP_ADDRESS_MISMATCH
}
_NOT_TLS = frozenset(
    ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
)
"""OpenSSL's reasons for a first response that is no TLS record."""


def tls_fault(error: ssl.SSLError) -> TlsFault:
    """Return why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _FAULT_OF_CODE.get(getattr(error, "verify_code", 0), TlsFault.UNTRUSTED)
    return TlsFault.NOT_TLS if error.reason in _NOT_TLS else TlsFault.OTHER


async def connect(
    origin: Origin,
    protocol_factory: ProtocolFactory,
    *,
    connect_timeout_s: float,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Try once to connect; with ``tls``, an ``https`` address is connected to by TLS.

    Raises ``ServerBusyError``; ``OSError`` if nothing listens, ``connect_timeout_s`` passes or TLS fails
    (``ssl.SSLError``); ``ValueError`` for an invalid address.
    """
    if origin.unix_socket is not None:
        await _connect_unix(origin.unix_socket, protocol_factory)
        return
    host, port, is_tls = _host_and_port(origin.base_url)
    if is_tls and tls is None:
        raise ValueError("This client connects to http:// addresses only.")
    address = _ip_address(host)
    try:
        async with asyncio.timeout(connect_timeout_s):
            if is_tls:
                await asyncio.get_running_loop().create_connection(protocol_factory, host, port, ssl=tls)
            elif address is None:  # a host name
                await asyncio.get_running_loop().create_connection(protocol_factory, host, port)
            else:
                await _connect_tcp(host, port, is_v6=address.version == 6, protocol_factory=protocol_factory)
    except TimeoutError:
        if host == "localhost" or (address is not None and address.is_loopback):
            raise ServerBusyError from None  # loopback loses no packets: the backlog is full
        raise


async def _connect_unix(path: str, protocol_factory: ProtocolFactory) -> None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        try:
            sock.connect(path)  # connect() on a unix socket never blocks
        except BlockingIOError:
            raise ServerBusyError from None
        await asyncio.get_running_loop().create_unix_connection(protocol_factory, sock=sock)
    except BaseException:
        sock.close()
        raise


async def _connect_tcp(host: str, port: int, *, is_v6: bool, protocol_factory: ProtocolFactory) -> None:
    """Connect with a small receive buffer, which the kernel would grow to megabytes while a client does not read.

    The size has to be set before connecting.
    """
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        await loop.sock_connect(sock, (host, port))
        await loop.create_connection(protocol_factory, sock=sock)
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
def _host_and_port(base_url: str) -> tuple[str, int, bool]:
    """Return the host, the port, and whether the address is for TLS."""
    parts = urlsplit(base_url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"A server's address must begin with http:// or https://, not {parts.scheme!r}.")
    return parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme], parts.scheme == "https"
