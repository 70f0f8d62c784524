"""Readiness probe: polls an engine's ``/health``, each time on a new connection."""

import asyncio
from contextlib import suppress
from pathlib import Path

from gglib.http.client.connect import ServerAddress
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.http.errors import TooManyConnectionsError, TransportError

_PROBE = OneShotRequest(b"GET", b"/health")
_PROBE_TIMEOUT_S = 2.0
MIN_POLL_S = 0.005
MAX_POLL_S = 0.1
_GROWTH = 1.3


async def wait_until_healthy(
    *, socket_path: Path | None, port: int | None, new_output: asyncio.Event | None = None
) -> None:
    """Poll ``/health`` until it returns 200: every few milliseconds at first, later ten times a second.

    ``new_output`` is set when the engine has logged something, and triggers a poll at once: the last log line of a load
    says that the engine listens. Has no timeout of its own: the caller sets one.
    """
    new_output = new_output or asyncio.Event()
    pause_s = MIN_POLL_S
    while True:
        new_output.clear()
        if await is_healthy(socket_path=socket_path, port=port):
            return
        await asyncio.sleep(MIN_POLL_S)  # also if the engine prints continuously
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s - MIN_POLL_S):
                await new_output.wait()
        pause_s = min(pause_s * _GROWTH, MAX_POLL_S)


async def is_healthy(*, socket_path: Path | None, port: int | None) -> bool:
    """Whether ``/health`` returns 200; 503 means that the model is loading."""
    server = (
        ServerAddress("http://localhost", unix_socket=str(socket_path))
        if socket_path is not None
        else ServerAddress(f"http://127.0.0.1:{port}")
    )
    probe = request_once(server, _PROBE, connect_timeout_s=_PROBE_TIMEOUT_S)
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S), probe as connection:
            return connection.head.status == 200
    except (TransportError, TooManyConnectionsError, TimeoutError):  # not listening yet, busy, or not HTTP
        return False
