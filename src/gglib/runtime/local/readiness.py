"""Asks an engine whether it is ready. One tiny GET, without the proxy's machinery."""

import asyncio
from contextlib import suppress
from pathlib import Path

_PROBE_TIMEOUT_S = 2.0
_REQUEST = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.1
_GROWTH = 1.3


async def wait_until_healthy(
    *, socket_path: Path | None, port: int | None, news: asyncio.Event | None = None
) -> None:
    """Return once ``/health`` says 200, asked every few milliseconds at first and ten times a second later on.

    ``news`` is set when the engine has printed something: then it is asked at once, for the last that it prints is that
    it listens. Never gives up: whoever calls knows how long is too long.
    """
    news = news or asyncio.Event()
    pause_s = FIRST_PAUSE_S
    while True:
        news.clear()
        if await is_healthy(socket_path=socket_path, port=port):
            return
        await asyncio.sleep(FIRST_PAUSE_S)  # however much it prints
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s - FIRST_PAUSE_S):
                await news.wait()
        pause_s = min(pause_s * _GROWTH, LONGEST_PAUSE_S)


async def is_healthy(*, socket_path: Path | None, port: int | None) -> bool:
    """Whether a server listens there and says 200; 503 means that it still loads."""
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            if socket_path is not None:
                reader, writer = await asyncio.open_unix_connection(socket_path)
            else:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(_REQUEST)
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):  # nobody there yet, or something that does not speak HTTP
        return False
    return status.split()[1:2] == [b"200"]
