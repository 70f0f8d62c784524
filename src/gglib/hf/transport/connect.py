"""Opens connections: TCP, a proxy's tunnel, TLS. Each step can be cancelled."""

import socket
import ssl
from http.client import HTTPException, HTTPResponse

from gglib.core.errors import HubError
from gglib.hf.cancellation import CancelToken, OperationCancelledError
from gglib.hf.transport.proxies import Proxy
from gglib.hf.transport.responses import TransientError
from gglib.hf.transport.urls import Origin
from gglib.http.client.tls import tls_context


class Connection:
    """One connection, which its ``CancelToken`` shuts down. ``close`` may be called more than once."""

    def __init__(self, host: str, port: int, *, connect_s: float, cancel_token: CancelToken) -> None:
        self._cancel_token = cancel_token
        self._handle: socket.socket | None = None
        self.socket = self._connect(host, port, connect_s)

    def secure(self, server: str, context: ssl.SSLContext) -> None:
        """Start TLS with the named server."""
        self.socket = context.wrap_socket(self.socket, server_hostname=server)

    def close(self) -> None:
        """Close the connection and unregister it."""
        if self._handle is not None:
            self._cancel_token.unregister(self._handle)
            self._handle.close()
            self._handle = None
        self.socket.close()

    def _connect(self, host: str, port: int, connect_s: float) -> socket.socket:
        failed: OSError = OSError("the host name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            self._cancel_token.raise_if_cancelled()
            connection = socket.socket(family, kind, protocol)
            # A second descriptor of the same socket: TLS moves the first one into its own object.
            self._handle = connection.dup()
            try:
                self._cancel_token.register(self._handle)
                connection.settimeout(connect_s)
                connection.connect(address)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except (OSError, OperationCancelledError) as error:
                self._cancel_token.unregister(self._handle)
                self._handle.close()
                connection.close()
                if isinstance(error, OperationCancelledError):
                    raise
                failed = error
            else:
                return connection
        raise failed


def connect(
    origin: Origin, proxy: Proxy | None, *, connect_s: float, cancel_token: CancelToken
) -> Connection:
    """Return a connection for a request to ``origin``.

    Raises ``TransientError``, ``HubError`` and ``OperationCancelledError``.
    """
    through = (origin.host, origin.port) if proxy is None else (proxy.host, proxy.port)
    try:
        connection = Connection(*through, connect_s=connect_s, cancel_token=cancel_token)
    except (OSError, UnicodeError) as error:
        cancel_token.raise_if_cancelled()
        peer = f"the proxy {proxy.authority}" if proxy is not None else "it"
        raise TransientError(f"{peer} cannot be reached ({_reason(error)})") from error
    try:
        if origin.scheme == "https":
            if proxy is not None:
                _tunnel(connection.socket, origin, proxy)
            connection.secure(origin.host, tls_context())
    except BaseException as error:
        connection.close()
        if isinstance(error, ssl.SSLCertVerificationError):
            raise HubError(
                f"{origin.authority} has a certificate that is not trusted ({error.verify_message}): check the clock "
                "and the address, or set SSL_CERT_FILE to your organisation's certificates."
            ) from error
        if isinstance(error, (OSError, HTTPException)):
            cancel_token.raise_if_cancelled()
            raise TransientError(f"TLS failed ({_reason(error)})") from error
        raise
    return connection


def _tunnel(connection: socket.socket, origin: Origin, proxy: Proxy) -> None:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    lines = [f"CONNECT {host}:{origin.port} HTTP/1.1", f"Host: {host}:{origin.port}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    connection.sendall("\r\n".join((*lines, "", "")).encode("ascii"))
    # Reads no byte of TLS ahead: a TLS server sends nothing before the client does.
    response = HTTPResponse(connection, method="CONNECT")
    response.begin()
    response.close()
    if response.status != 200:
        raise OSError(f"the proxy answered {response.status}")


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "unknown host name"
    if isinstance(error, TimeoutError):
        return "timed out"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
