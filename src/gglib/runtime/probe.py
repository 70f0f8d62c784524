"""Asks an engine whether it is ready. One tiny GET, without the proxy's machinery."""

import asyncio
from pathlib import Path

_PROBE_TIMEOUT_S = 2.0
_REQUEST = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.1
_GROWTH = 1.3


async def wait_until_healthy(*, socket_path: Path | None, port: int | None) -> None:
    """Return once ``/health`` says 200, asked every few milliseconds at first and ten times a second later on.

    Never gives up: whoever calls knows how long is too long.
    """
    pause_s = FIRST_PAUSE_S
    while not await is_healthy(socket_path=socket_path, port=port):
        await asyncio.sleep(pause_s)
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
