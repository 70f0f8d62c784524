"""Talks to a gglib that runs, over plain HTTP on this machine. Blocking: commands are ordinary programs.

``http.client`` knows nothing of HTTP_PROXY, which must not come between two programs on one machine.
"""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

from gglib.cli.conversation import error_of
from gglib.core.addresses import Endpoint, reachable_url
from gglib.core.errors import GglibError, UpstreamError

QUICK_S = 30.0
"""For questions that wait for nothing; an engine that is told to stop may take some seconds."""
CHAT_S = 900.0
"""Silence that long means that nothing comes any more: a wait for a model ends before."""


def reachable(url: str) -> str:
    """Return the address at which this machine reaches a server that listens on all of its addresses."""
    parts = urlsplit(url)
    return reachable_url(parts.hostname or "", parts.port)


def get_json(server: Endpoint, path: str, *, timeout_s: float = QUICK_S) -> Any:  # noqa: ANN401 - JSON
    """Return what the server says at ``path``. Raises ``GglibError`` with the server's own sentence."""
    with _response(server, "GET", path, None, timeout_s) as response, _translated(server.url):
        return json.loads(response.read())


def post_json(server: Endpoint, path: str, body: object = None, *, timeout_s: float = QUICK_S) -> Any:  # noqa: ANN401 - JSON
    """Post ``body`` and return the answer. Raises like ``get_json``."""
    with _response(server, "POST", path, body, timeout_s) as response, _translated(server.url):
        content = response.read()
        return json.loads(content) if content else None


@contextmanager
def streamed(server: Endpoint, path: str, body: object) -> Iterator[Iterator[bytes]]:
    """Post ``body`` and yield the lines of the answer as they arrive; leaving the block ends the request."""
    with _response(server, "POST", path, body, CHAT_S) as response:
        yield _lines(server.url, response)


@contextmanager
def followed(server: Endpoint, path: str) -> Iterator[Iterator[bytes]]:
    """Yield the lines of an event stream as they arrive; leaving the block ends the request."""
    with _response(server, "GET", path, None, CHAT_S) as response:
        yield _lines(server.url, response)


def _lines(url: str, response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        with _translated(url):
            line = response.readline()
        if not line:
            return
        yield line


@contextmanager
def _response(
    server: Endpoint, method: str, path: str, body: object, timeout_s: float
) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(reachable(server.url))
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    content = None if body is None else json.dumps(body).encode()
    with closing(connection):
        with _translated(server.url):
            connection.request(method, path, content, _headers(server))
            response = connection.getresponse()
            if not 200 <= response.status < 300:
                raise GglibError(_refusal(response))
        with closing(response):
            yield response


def _headers(server: Endpoint) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    return headers if server.key is None else headers | {"Authorization": f"Bearer {server.key}"}


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Make one sentence of what the connection fails with. Around reads alone: a closed terminal is not its fault."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UpstreamError(
            f"gglib at {url} stopped answering ({str(error) or type(error).__name__})."
        ) from error


def _refusal(response: http.client.HTTPResponse) -> str:
    sentence = error_of(response.read()) or f"gglib answered with status {response.status}."
    return sentence.splitlines()[0]  # the engine's last lines may follow; 'gglib logs' has them all
