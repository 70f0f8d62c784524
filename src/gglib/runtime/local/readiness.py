"""Readiness probe: polls an engine's health path, each time on a new connection."""

import asyncio
from contextlib import suppress

from gglib.http.client.connect import ServerAddress
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.http.errors import TooManyConnectionsError, TransportError

_PROBE_TIMEOUT_S = 2.0
MIN_POLL_S = 0.005
MAX_POLL_S = 0.1
_GROWTH = 1.3


async def wait_until_healthy(
    server: ServerAddress,
    *,
    path: str = "/health",
    new_output: asyncio.Event | None = None,
    max_poll_s: float = MAX_POLL_S,
) -> None:
    """Poll ``path`` until it returns 200: every few milliseconds at first, later every ``max_poll_s``.

    ``new_output`` is set when the engine has logged something, and triggers a poll at once: the last log line of a load
    says that the engine listens. Has no timeout of its own: the caller sets one.
    """
    new_output = new_output or asyncio.Event()
    pause_s = MIN_POLL_S
    while True:
        new_output.clear()
        if await is_healthy(server, path=path):
            return
        await asyncio.sleep(MIN_POLL_S)  # also if the engine prints continuously
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s - MIN_POLL_S):
                await new_output.wait()
        pause_s = min(pause_s * _GROWTH, max_poll_s)


async def is_healthy(server: ServerAddress, *, path: str = "/health") -> bool:
    """Whether ``path`` returns 200; 503 means that the model is loading."""
    request = OneShotRequest(b"GET", path.encode())
    probe = request_once(server, request, connect_timeout_s=_PROBE_TIMEOUT_S)
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S), probe as connection:
            return connection.head.status == 200
    except (TransportError, TooManyConnectionsError, TimeoutError):  # not listening yet, busy, or not HTTP
        return False
