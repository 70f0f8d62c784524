"""HTTP client for a running gglib, on this machine or a remote one. HTTP_PROXY is ignored.

Most commands are blocking programs: each of their requests runs its own event loop. Following events is async.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from gglib.cli.chat.response import error_message
from gglib.cli.remote.ca_files import checked_ca_file
from gglib.cli.server.remote_errors import describe, local_refusal, remote_refusal, unreachable
from gglib.cli.server.response_json import MAX_BODY_BYTES, ResponseName, parse_response
from gglib.core.addresses import Endpoint, reachable_url
from gglib.core.errors import GglibError, UpstreamError
from gglib.core.sizes import format_size
from gglib.core.version import __version__
from gglib.http.client.connect import ServerAddress
from gglib.http.client.connection import UpstreamConnection
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.http.client.tls import ca_context, pinned_context, tls_context
from gglib.http.errors import ConnectError, TooManyConnectionsError, TransportError
from gglib.http.headers import is_event_stream
from gglib.http.sse import SseEvent, SseReader

REQUEST_TIMEOUT_S = 30.0
"""For requests that do not wait for a model; an engine may take some seconds to stop."""
CONNECT_TIMEOUT_S = 10.0
"""For a connection to a remote server."""
STREAM_TIMEOUT_S = 900.0
"""Maximum silence of a stream, longer than any wait for a model."""
_USER_AGENT = f"user-agent: gglib/{__version__}\r\n".encode()
"""For the list of requests, where this is the client program ``gglib``."""


def reachable(url: str) -> str:
    """Return the URL with a loopback host if the server listens on all addresses."""
    parts = urlsplit(url)
    return reachable_url(parts.hostname or "", parts.port, scheme=parts.scheme)


def get_json(
    server: Endpoint,
    path: str,
    expected: ResponseName | None = None,
    *,
    timeout_s: float = REQUEST_TIMEOUT_S,
) -> Any:  # noqa: ANN401 - JSON
    """GET ``path`` and return the parsed JSON.

    Raises ``GglibError``: with the server's message, or for a response that is not of the ``expected`` type.
    """
    return asyncio.run(get_json_async(server, path, expected, timeout_s=timeout_s))


def post_json(
    server: Endpoint,
    path: str,
    body: object = None,
    expected: ResponseName | None = None,
    *,
    timeout_s: float = REQUEST_TIMEOUT_S,
) -> Any:  # noqa: ANN401 - JSON
    """POST ``body`` and return the parsed JSON. Raises like ``get_json``."""
    return asyncio.run(_json(server, _post(path, body), expected, timeout_s))


def patch_json(server: Endpoint, path: str, body: object, expected: ResponseName | None = None) -> Any:  # noqa: ANN401 - JSON
    """PATCH ``path`` with ``body`` and return the parsed JSON. Raises like ``get_json``."""
    return asyncio.run(_json(server, _with_body(b"PATCH", path, body), expected, REQUEST_TIMEOUT_S))


def delete_json(server: Endpoint, path: str, expected: ResponseName | None = None) -> Any:  # noqa: ANN401 - JSON
    """DELETE ``path`` and return the parsed JSON. Raises like ``get_json``."""
    return asyncio.run(
        _json(server, OneShotRequest(b"DELETE", path.encode(), _USER_AGENT), expected, REQUEST_TIMEOUT_S)
    )


@contextmanager
def stream_post(server: Endpoint, path: str, body: object) -> Iterator[Iterator[bytes]]:
    """POST ``body`` and yield the chunks of the response as they arrive; leaving the block cancels the request.

    Raises like ``get_json``, in the block as well.
    """
    with _stream(server, _post(path, body)) as chunks:
        yield chunks


@contextmanager
def stream_get(server: Endpoint, path: str) -> Iterator[Iterator[bytes]]:
    """GET ``path``; otherwise like ``stream_post``."""
    with _stream(server, _get(path)) as chunks:
        yield chunks


@contextmanager
def _stream(server: Endpoint, request: OneShotRequest) -> Iterator[Iterator[bytes]]:
    response = _event_stream(server, request)
    with asyncio.Runner() as runner:
        chunks = runner.run(response.__aenter__())
        try:
            yield _iterate(runner, chunks)
        finally:
            runner.run(response.__aexit__(None, None, None))


async def get_json_async(
    server: Endpoint,
    path: str,
    expected: ResponseName | None = None,
    *,
    timeout_s: float = REQUEST_TIMEOUT_S,
) -> Any:  # noqa: ANN401 - JSON
    """GET ``path`` and return the parsed JSON. Raises like ``get_json``."""
    return await _json(server, _get(path), expected, timeout_s)


async def request_json_async(  # noqa: PLR0913 - the parts of a request
    server: Endpoint,
    method: bytes,
    path: str,
    expected: ResponseName | None = None,
    *,
    body: object = None,
    timeout_s: float = REQUEST_TIMEOUT_S,
) -> Any:  # noqa: ANN401 - JSON
    """Send a request, with ``body`` as JSON if there is one, and return the parsed JSON. Raises like ``get_json``."""
    return await _json(server, _with_body(method, path, body), expected, timeout_s)


@asynccontextmanager
async def stream_events(server: Endpoint, path: str) -> AsyncIterator[AsyncIterator[SseEvent]]:
    """Yield the events of a stream as they arrive; leaving the block cancels the request. Raises like ``get_json``."""
    async with _event_stream(server, _get(path)) as chunks:
        yield _events(chunks)


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[SseEvent]:
    reader = SseReader()
    async for chunk in chunks:
        for event in reader.receive(chunk):
            yield event


def _iterate(runner: asyncio.Runner, chunks: AsyncIterator[bytes]) -> Iterator[bytes]:
    while chunk := runner.run(_next_chunk(chunks)):
        yield chunk


async def _next_chunk(chunks: AsyncIterator[bytes]) -> bytes:
    """Return the next chunk, or an empty one at the end."""
    return await anext(chunks, b"")


def _get(path: str) -> OneShotRequest:
    return OneShotRequest(b"GET", path.encode(), _USER_AGENT)


def _post(path: str, body: object) -> OneShotRequest:
    return _with_body(b"POST", path, body)


def _with_body(method: bytes, path: str, body: object) -> OneShotRequest:
    content = b"" if body is None else json.dumps(body).encode()
    return OneShotRequest(method, path.encode(), _USER_AGENT + b"content-type: application/json\r\n", content)


async def _json(
    server: Endpoint, request: OneShotRequest, expected: ResponseName | None, timeout_s: float
) -> Any:  # noqa: ANN401 - JSON
    async with _response(server, request, timeout_s) as (connection, chunks):
        body = await _read_body(server, chunks)
    if not body and request.method == b"POST" and expected is None:
        return None
    try:
        return parse_response(server, describe(request), body, expected)
    except ValueError as error:
        if server.is_remote:
            raise remote_refusal(server, request, connection.head.status, body, None) from error
        raise _no_response_error(server, str(error)) from error


@asynccontextmanager
async def _event_stream(server: Endpoint, request: OneShotRequest) -> AsyncIterator[AsyncIterator[bytes]]:
    """Send a request and yield the chunks of its response. Raises ``GglibError`` if it is not an event stream."""
    async with _response(server, request, STREAM_TIMEOUT_S) as (connection, chunks):
        if server.is_remote and not is_event_stream(connection.head.headers):
            body = await _read_body(server, chunks)
            raise remote_refusal(server, request, connection.head.status, body, None)
        yield chunks


@asynccontextmanager
async def _response(
    server: Endpoint, request: OneShotRequest, idle_timeout_s: float
) -> AsyncIterator[tuple[UpstreamConnection, AsyncIterator[bytes]]]:
    """Send a request and yield its connection and the chunks of its response, each within ``idle_timeout_s``.

    Raises ``GglibError``: with the server's message for an error status, else that the server stopped responding.
    """
    origin = ServerAddress(_address(server), bearer_key=server.key)
    tls = _tls(server) if origin.base_url.startswith("https:") else None
    connect_timeout_s = min(idle_timeout_s, CONNECT_TIMEOUT_S) if server.is_remote else idle_timeout_s
    sent = request_once(origin, request, connect_timeout_s=connect_timeout_s, tls=tls)
    async with AsyncExitStack() as stack:
        async with _bounded_step(server, idle_timeout_s):
            connection = await stack.enter_async_context(sent)
        chunks = _body_chunks(server, connection, idle_timeout_s)
        head = connection.head
        if not 200 <= head.status < 300:
            body = await _read_body(server, chunks)
            if server.is_remote:
                location = dict(head.headers).get(b"location")
                raise remote_refusal(server, request, head.status, body, location)
            raise local_refusal(server, request, head.status, body) or GglibError(
                _error_text(head.status, body)
            )
        yield connection, chunks


def _address(server: Endpoint) -> str:
    """Return the URL to connect to."""
    if server.is_remote:
        return server.url
    return reachable(server.url) if server.pinned is None else server.pinned.url


def _tls(server: Endpoint) -> ssl.SSLContext:
    """Return the context that verifies a server. Raises ``InvalidSettingError`` for an unusable ``--ca``."""
    if server.pinned is not None:
        return _pinned_context(server.pinned.certificate)
    return _context_for(server.ca_file)


@lru_cache(maxsize=1)
def _pinned_context(certificate: str) -> ssl.SSLContext:
    return pinned_context(certificate)


@lru_cache(maxsize=1)
def _context_for(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is None:
        return tls_context()
    return ca_context(checked_ca_file(ca_file, source="--ca"))


async def _read_body(server: Endpoint, chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise UpstreamError(
                f"{server.url} sent a response of more than {format_size(MAX_BODY_BYTES)}: check that the address is a "
                "gglib server."
            )
    return bytes(body)


async def _body_chunks(
    server: Endpoint, connection: UpstreamConnection, idle_timeout_s: float
) -> AsyncIterator[bytes]:
    while True:
        async with _bounded_step(server, idle_timeout_s):
            chunk = await anext(connection, b"")
        if not chunk:
            return
        yield chunk


@asynccontextmanager
async def _bounded_step(server: Endpoint, idle_timeout_s: float) -> AsyncIterator[None]:
    """Limit the time of one step of an exchange, and map its failures to ``UpstreamError``.

    Wraps reads only, so that a failed write to the terminal is not reported as the server's fault.
    """
    try:
        async with asyncio.timeout(idle_timeout_s):
            yield
    except TimeoutError as error:
        raise _no_response_error(server, f"no data for {idle_timeout_s:g} s") from error
    except ConnectError as error:
        if server.is_remote:
            raise unreachable(server, error) from error
        raise _no_response_error(server, f"it {error.reason}") from error
    except TransportError as error:
        raise _no_response_error(server, f"it {error.reason}") from error
    except TooManyConnectionsError as error:
        raise _no_response_error(server, "the limit on open files is reached") from error


def _no_response_error(server: Endpoint, why: str) -> UpstreamError:
    where = " on its machine" if server.is_remote else ""
    return UpstreamError(
        f"gglib at {server.url} stopped responding ({why}): 'gglib logs'{where} may show the reason."
    )


def _error_text(status: int, body: bytes) -> str:
    message = error_message(body) or f"gglib returned status {status}."
    return message.splitlines()[0]  # the engine's last log lines may follow; 'gglib logs' shows them
