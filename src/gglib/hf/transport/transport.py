"""Asks for a file over HTTP and follows redirects. Blocking: it runs in a thread that a ``Stop`` can end.

Knows nothing of what is done with the bytes. Which headers go where is decided in ``headers.py``, where a redirect may
lead in ``addresses.py``.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import cast

from gglib.core.errors import HubError, HubUnreachableError
from gglib.hf.cancellation import Stop
from gglib.hf.transport.connect import Line, dial
from gglib.hf.transport.headers import Request, request_headers
from gglib.hf.transport.proxies import Proxy, proxy_for
from gglib.hf.transport.responses import LostError
from gglib.hf.transport.urls import Address, Origin, follow

MOST_REDIRECTS = 10
OFFLINE = "gglib is told to stay offline: unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE to search and to fetch models."
_REDIRECTS = {301, 302, 303, 307, 308}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """When a connection counts as lost."""

    connect_s: float = 10.0
    silence_s: float = 30.0
    """Without a byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How requests are sent: to which hub a token may go, and how patient to be."""

    hub: Address
    token: str | None = field(default=None, repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts)
    is_offline: bool = False

    @contextmanager
    def open(self, request: Request, stop: Stop) -> Iterator["Reply"]:
        """Hold the answer to a request, whatever its status, after all redirects.

        Raises ``LostError``, ``StoppedError``, and ``HubError`` for a redirect that must not be followed.
        """
        if self.is_offline:
            raise HubUnreachableError(OFFLINE)
        address = request.address
        way: tuple[Origin, ...] = ()
        first_headers: Mapping[str, str] | None = None
        for _ in range(MOST_REDIRECTS + 1):
            proxy = proxy_for(address.origin)
            with ExitStack() as closing:
                line = dial(address.origin, proxy, connect_s=self.timeouts.connect_s, stop=stop)
                closing.callback(line.close)
                headers = request_headers(request, address, way=way, hub=self.hub.origin, token=self.token)
                line.socket.settimeout(self.timeouts.silence_s)
                with losing(stop):
                    response = _ask(line, request.method, address, headers, proxy)
                closing.callback(response.close)
                first_headers = _mapping(response) if first_headers is None else first_headers
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or location is None:
                    is_hub = all(origin == self.hub.origin for origin in (*way, address.origin))
                    yield Reply(response, first_headers=first_headers, is_hub=is_hub, stop=stop)
                    return
                way = (*way, address.origin)
                address = follow(address, location)
                _log.debug("redirected to %s", address.origin.authority)
        raise HubError(
            f"{request.address.origin.authority} redirects more than {MOST_REDIRECTS} times: it goes round."
        )


class Reply:
    """An answer whose head has come."""

    def __init__(
        self, response: HTTPResponse, *, first_headers: Mapping[str, str], is_hub: bool, stop: Stop
    ) -> None:
        self.status = response.status
        self.headers = _mapping(response)
        self.first_headers = first_headers
        """Of the first answer, which may have been a redirect: where the hub says what it redirects to."""
        self.is_hub = is_hub
        """Whether the hub itself answered, without having been left on the way."""
        self.is_chunked = bool(response.chunked)
        self._response = response
        self._stop = stop

    def read_into(self, buffer: memoryview) -> int:
        """Put what has come into ``buffer`` and return how many bytes; 0 at the end. Waits for the first one.

        Raises ``LostError`` and ``StoppedError``.
        """
        with losing(self._stop):
            if self.is_chunked:
                data = self._response.read1(len(buffer))
                buffer[: len(data)] = data
                return len(data)
            # Past HTTPResponse, whose readinto waits until the buffer is full; the length is counted by the caller.
            return self._response.fp.readinto1(buffer)


@contextmanager
def losing(stop: Stop) -> Iterator[None]:
    """Turn what a connection can raise into ``LostError``, or ``StoppedError`` when it was shut down on purpose."""
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        stop.check()
        what = "it fell silent" if isinstance(error, TimeoutError) else "the connection was lost"
        raise LostError(what) from error


def _ask(
    line: Line, method: str, address: Address, headers: dict[str, str], proxy: Proxy | None
) -> HTTPResponse:
    connection = HTTPConnection(address.origin.host, address.origin.port)
    connection.sock = line.socket
    target = address.target
    if proxy is not None and address.origin.scheme == "http":
        target = address.url
        if proxy.authorization is not None:
            headers = {**headers, "Proxy-Authorization": proxy.authorization}
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


def _mapping(response: HTTPResponse) -> Mapping[str, str]:
    return cast("Mapping[str, str]", response.headers)  # any case of a name finds its value
