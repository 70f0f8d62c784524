"""Talks to a gglib that runs, over plain HTTP on this machine. HTTP_PROXY does not apply between its programs.

Most commands are blocking programs: for them a request has a loop of its own. What follows events is async.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

from gglib.cli.chat.conversation import error_of
from gglib.core.addresses import Endpoint, reachable_url
from gglib.core.errors import GglibError, UpstreamError
from gglib.http.client.connect import ServerAddress
from gglib.http.client.connection import UpstreamConnection
from gglib.http.client.one_shot import Request, request_once
from gglib.http.errors import TooManyConnectionsError, TransportError
from gglib.http.sse import SseEvent, SseReader

QUICK_S = 30.0
"""For questions that wait for nothing; an engine may take some seconds to stop."""
CHAT_S = 900.0
"""Silence that long means that nothing comes any more: a wait for a model ends before."""


def reachable(url: str) -> str:
    """Return the address at which this machine reaches a server that listens on all of its addresses."""
    parts = urlsplit(url)
    return reachable_url(parts.hostname or "", parts.port)


def get_json(server: Endpoint, path: str, *, timeout_s: float = QUICK_S) -> Any:  # noqa: ANN401 - JSON
    """Return what the server says at ``path``. Raises ``GglibError`` with the server's own sentence."""
    return asyncio.run(fetch_json(server, path, timeout_s=timeout_s))


def post_json(server: Endpoint, path: str, body: object = None, *, timeout_s: float = QUICK_S) -> Any:  # noqa: ANN401 - JSON
    """Post ``body`` and return the answer. Raises like ``get_json``."""
    return asyncio.run(_json(server, _post(path, body), timeout_s))


@contextmanager
def streamed(server: Endpoint, path: str, body: object) -> Iterator[Iterator[bytes]]:
    """Post ``body`` and yield the parts of the answer as they arrive; leaving the block ends the request.

    Raises like ``get_json``, in the block as well.
    """
    answer = _answer(server, _post(path, body), CHAT_S)
    with asyncio.Runner() as runner:
        parts = runner.run(answer.__aenter__())
        try:
            yield _blocking(runner, parts)
        finally:
            runner.run(answer.__aexit__(None, None, None))


async def fetch_json(server: Endpoint, path: str, *, timeout_s: float = QUICK_S) -> Any:  # noqa: ANN401 - JSON
    """Return what the server says at ``path``. Raises like ``get_json``."""
    return await _json(server, _get(path), timeout_s)


@asynccontextmanager
async def followed(server: Endpoint, path: str) -> AsyncIterator[AsyncIterator[SseEvent]]:
    """Yield the events of a stream as they arrive; leaving the block ends the request. Raises like ``streamed``."""
    async with _answer(server, _get(path), CHAT_S) as parts:
        yield _events(parts)


async def _events(parts: AsyncIterator[bytes]) -> AsyncIterator[SseEvent]:
    reader = SseReader()
    async for part in parts:
        for event in reader.receive(part):
            yield event


def _blocking(runner: asyncio.Runner, parts: AsyncIterator[bytes]) -> Iterator[bytes]:
    while part := runner.run(_next(parts)):
        yield part


async def _next(parts: AsyncIterator[bytes]) -> bytes:
    """Return the next part, or nothing at the end."""
    return await anext(parts, b"")


def _get(path: str) -> Request:
    return Request(b"GET", path.encode())


def _post(path: str, body: object) -> Request:
    content = b"" if body is None else json.dumps(body).encode()
    return Request(b"POST", path.encode(), b"content-type: application/json\r\n", content)


async def _json(server: Endpoint, request: Request, timeout_s: float) -> Any:  # noqa: ANN401 - JSON
    async with _answer(server, request, timeout_s) as parts:
        body = await _whole(parts)
    if not body and request.method == b"POST":
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise _stopped(server.url, str(error)) from error


@asynccontextmanager
async def _answer(
    server: Endpoint, request: Request, silence_s: float
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Send a request and yield the parts of its answer; the server may be silent for ``silence_s`` at a time.

    Raises ``GglibError``: the server's own sentence where it refuses, else that it stopped answering.
    """
    origin = ServerAddress(reachable(server.url), bearer_key=server.key)
    sent = request_once(origin, request, connect_timeout_s=silence_s)
    async with AsyncExitStack() as stack:
        async with _step(server.url, silence_s):
            connection = await stack.enter_async_context(sent)
        parts = _parts(server.url, connection, silence_s)
        if not 200 <= connection.head.status < 300:
            raise GglibError(_refusal(connection.head.status, await _whole(parts)))
        yield parts


async def _whole(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


async def _parts(url: str, connection: UpstreamConnection, silence_s: float) -> AsyncIterator[bytes]:
    while True:
        async with _step(url, silence_s):
            part = await anext(connection, b"")
        if not part:
            return
        yield part


@asynccontextmanager
async def _step(url: str, silence_s: float) -> AsyncIterator[None]:
    """Bound a step of an exchange, and make one sentence of what it fails with.

    Around reads alone: a closed terminal is not the server's fault.
    """
    try:
        async with asyncio.timeout(silence_s):
            yield
    except TimeoutError as error:
        raise _stopped(url, f"it said nothing for {silence_s:g} s") from error
    except TransportError as error:
        raise _stopped(url, f"it {error.what}") from error
    except TooManyConnectionsError as error:
        raise _stopped(url, "this process may open no more files") from error


def _stopped(url: str, why: str) -> UpstreamError:
    return UpstreamError(f"gglib at {url} stopped answering ({why}): 'gglib logs' may say why.")


def _refusal(status: int, body: bytes) -> str:
    sentence = error_of(body) or f"gglib answered with status {status}."
    return sentence.splitlines()[0]  # the engine's last lines may follow; 'gglib logs' has them all
