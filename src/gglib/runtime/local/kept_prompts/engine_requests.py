"""Requests to an engine about its slots, each over a connection of its own."""

from gglib.core.models import RunningTarget
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.runtime.engines.slot_files import SlotRequest

_CONNECT_TIMEOUT_S = 2.0
_MAX_BYTES = 4 * 1024 * 1024


class SlotRefusedError(Exception):
    """The engine did not do what it was asked for. The message is a clause."""


async def get(target: RunningTarget, path: bytes) -> bytes:
    """Return the body of a response with status 200. Raises ``SlotRefusedError`` for another one."""
    status, body = await _exchange(target, OneShotRequest(b"GET", path))
    if status != 200:
        raise SlotRefusedError(f"the engine responds to {path.decode()} with status {status}")
    return body


async def post(target: RunningTarget, request: SlotRequest) -> tuple[int, bytes]:
    """Return status and body of the response. Has no timeout: a save waits for running requests."""
    line = b"content-type: application/json\r\n"
    return await _exchange(target, OneShotRequest(b"POST", request.path, line, request.body))


async def _exchange(target: RunningTarget, request: OneShotRequest) -> tuple[int, bytes]:
    body = b""
    async with request_once(target, request, connect_timeout_s=_CONNECT_TIMEOUT_S) as connection:
        async for part in connection:
            body += part
            if len(body) > _MAX_BYTES:
                raise SlotRefusedError("the engine's response is too long")
        return connection.head.status, body
