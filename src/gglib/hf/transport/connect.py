"""Makes a connection to whoever answers at an address: TCP, a proxy's tunnel, TLS. Each step can be stopped."""

import functools
import socket
import ssl
from http.client import HTTPException, HTTPResponse

from gglib.core.errors import HubError
from gglib.hf.cancellation import Stop, StoppedError
from gglib.hf.transport.proxies import Proxy
from gglib.hf.transport.responses import LostError
from gglib.hf.transport.urls import Origin


class Line:
    """One connection, which its ``Stop`` shuts down; closed by ``close``, once or more often."""

    def __init__(self, host: str, port: int, *, connect_s: float, stop: Stop) -> None:
        self._stop = stop
        self._handle: socket.socket | None = None
        self.socket = self._connect(host, port, connect_s)

    def secure(self, server: str, context: ssl.SSLContext) -> None:
        """Go on in TLS with the server of that name."""
        self.socket = context.wrap_socket(self.socket, server_hostname=server)

    def close(self) -> None:
        """Close it and have it no longer watched."""
        if self._handle is not None:
            self._stop.forget(self._handle)
            self._handle.close()
            self._handle = None
        self.socket.close()

    def _connect(self, host: str, port: int, connect_s: float) -> socket.socket:
        failed: OSError = OSError("the name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            self._stop.check()
            connection = socket.socket(family, kind, protocol)
            # A second descriptor of the same socket: TLS moves the first one into an object of its own.
            self._handle = connection.dup()
            try:
                self._stop.watch(self._handle)
                connection.settimeout(connect_s)
                connection.connect(address)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except (OSError, StoppedError) as error:
                self._stop.forget(self._handle)
                self._handle.close()
                connection.close()
                if isinstance(error, StoppedError):
                    raise
                failed = error
            else:
                return connection
        raise failed


def dial(origin: Origin, proxy: Proxy | None, *, connect_s: float, stop: Stop) -> Line:
    """Return a connection for a request to ``origin``. Raises ``LostError``, ``HubError``, ``StoppedError``."""
    through = (origin.host, origin.port) if proxy is None else (proxy.host, proxy.port)
    try:
        line = Line(*through, connect_s=connect_s, stop=stop)
    except (OSError, UnicodeError) as error:
        stop.check()
        who = f"the proxy {proxy.authority}" if proxy is not None else "it"
        raise LostError(f"{who} cannot be reached ({_reason(error)})") from error
    try:
        if origin.scheme == "https":
            if proxy is not None:
                _tunnel(line.socket, origin, proxy)
            line.secure(origin.host, tls_context())
    except BaseException as error:
        line.close()
        if isinstance(error, ssl.SSLCertVerificationError):
            raise HubError(
                f"{origin.authority} shows a certificate that is not trusted ({error.verify_message}): check the clock "
                "and the address, or set SSL_CERT_FILE to your organisation's certificates."
            ) from error
        if isinstance(error, (OSError, HTTPException)):
            stop.check()
            raise LostError(f"no secure connection could be made ({_reason(error)})") from error
        raise
    return line


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return what verifies servers: by the system's own certificates where ``truststore`` is installed."""
    try:
        import truststore  # noqa: PLC0415 - comes with huggingface_hub; loaded when the first address is https
    except ImportError:
        return ssl.create_default_context()
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _tunnel(connection: socket.socket, origin: Origin, proxy: Proxy) -> None:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    lines = [f"CONNECT {host}:{origin.port} HTTP/1.1", f"Host: {host}:{origin.port}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    connection.sendall("\r\n".join((*lines, "", "")).encode("ascii"))
    # Nothing is read ahead that is TLS's: the server speaks only when it was spoken to.
    reply = HTTPResponse(connection, method="CONNECT")
    reply.begin()
    reply.close()
    if reply.status != 200:
        raise OSError(f"the proxy answered {reply.status}")


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "its name is not known here"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
