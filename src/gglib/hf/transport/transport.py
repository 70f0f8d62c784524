"""Requests a file over HTTP and follows redirects. Blocking: runs in a thread that a ``CancelToken`` can end.

Knows nothing of what is done with the bytes. ``headers.py`` decides which headers are sent where, ``urls.py`` where a
redirect may lead.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import cast

from gglib.core.errors import HubError, HubUnreachableError
from gglib.hf.cancellation import CancelToken
from gglib.hf.transport.connect import Connection, connect
from gglib.hf.transport.headers import Request, request_headers
from gglib.hf.transport.proxies import Proxy, proxy_for
from gglib.hf.transport.responses import TransientError
from gglib.hf.transport.urls import Address, Origin, resolve_redirect

MAX_REDIRECTS = 10
OFFLINE = (
    "gglib is in offline mode: unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE to search and download models."
)
_REDIRECTS = {301, 302, 303, 307, 308}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """When a connection counts as lost, in seconds."""

    connect_s: float = 10.0
    read_s: float = 30.0
    """Without a byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How requests are sent: which hub may receive the token, the timeouts, the offline mode."""

    hub: Address
    token: str | None = field(default=None, repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts)
    is_offline: bool = False

    @contextmanager
    def open(self, request: Request, cancel_token: CancelToken) -> Iterator["Response"]:
        """Yield the response to a request, whatever its status, after all redirects.

        Raises ``TransientError``, ``OperationCancelledError``, and ``HubError`` for a redirect that must not be
        followed.
        """
        if self.is_offline:
            raise HubUnreachableError(OFFLINE)
        address = request.address
        redirected_from: tuple[Origin, ...] = ()
        first_headers: Mapping[str, str] | None = None
        for _ in range(MAX_REDIRECTS + 1):
            proxy = proxy_for(address.origin)
            with ExitStack() as closing:
                connection = connect(
                    address.origin, proxy, connect_s=self.timeouts.connect_s, cancel_token=cancel_token
                )
                closing.callback(connection.close)
                headers = request_headers(
                    request, address, redirected_from=redirected_from, hub=self.hub.origin, token=self.token
                )
                connection.socket.settimeout(self.timeouts.read_s)
                with map_connection_errors(cancel_token):
                    response = _send(connection, request.method, address, headers, proxy)
                closing.callback(response.close)
                first_headers = _mapping(response) if first_headers is None else first_headers
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or location is None:
                    is_hub = all(origin == self.hub.origin for origin in (*redirected_from, address.origin))
                    yield Response(
                        response, first_headers=first_headers, is_hub=is_hub, cancel_token=cancel_token
                    )
                    return
                redirected_from = (*redirected_from, address.origin)
                address = resolve_redirect(address, location)
                _log.debug("redirected to %s", address.origin.authority)
        raise HubError(
            f"{request.address.origin.authority} redirects more than {MAX_REDIRECTS} times: check the address."
        )


class Response:
    """A response whose head has arrived."""

    def __init__(
        self,
        response: HTTPResponse,
        *,
        first_headers: Mapping[str, str],
        is_hub: bool,
        cancel_token: CancelToken,
    ) -> None:
        self.status = response.status
        self.headers = _mapping(response)
        self.first_headers = first_headers
        """Of the first response, which may be a redirect: the hub describes its target there."""
        self.is_hub = is_hub
        """Whether the hub itself responded, without a redirect through another origin."""
        self.is_chunked = bool(response.chunked)
        self._response = response
        self._cancel_token = cancel_token

    def read_into(self, buffer: memoryview) -> int:
        """Read available bytes into ``buffer`` and return how many; 0 at the end. Waits for the first byte.

        Raises ``TransientError`` and ``OperationCancelledError``.
        """
        with map_connection_errors(self._cancel_token):
            if self.is_chunked:
                data = self._response.read1(len(buffer))
                buffer[: len(data)] = data
                return len(data)
            # Bypasses HTTPResponse, whose readinto waits until the buffer is full; the caller counts the length.
            return self._response.fp.readinto1(buffer)


@contextmanager
def map_connection_errors(cancel_token: CancelToken) -> Iterator[None]:
    """Turn connection errors into ``TransientError``, or ``OperationCancelledError`` after a cancel."""
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        cancel_token.raise_if_cancelled()
        what = "it timed out" if isinstance(error, TimeoutError) else "the connection was lost"
        raise TransientError(what) from error


def _send(
    connection: Connection, method: str, address: Address, headers: dict[str, str], proxy: Proxy | None
) -> HTTPResponse:
    http = HTTPConnection(address.origin.host, address.origin.port)
    http.sock = connection.socket
    target = address.target
    if proxy is not None and address.origin.scheme == "http":
        target = address.url
        if proxy.authorization is not None:
            headers = {**headers, "Proxy-Authorization": proxy.authorization}
    http.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        http.putheader(name, value)
    http.endheaders()
    return http.getresponse()


def _mapping(response: HTTPResponse) -> Mapping[str, str]:
    return cast("Mapping[str, str]", response.headers)  # lookups ignore the case of names
