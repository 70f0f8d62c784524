"""Reads figures of a running engine over its own HTTP routes."""

import asyncio

from gglib.core.models import RunningTarget
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.http.errors import TooManyConnectionsError, TransportError
from gglib.runtime.engines.base import PromptCost

_TIMEOUT_S = 2.0
_MAX_BYTES = 1024 * 1024


async def read_prompt_cost_s(target: RunningTarget, cost: PromptCost) -> float | None:
    """Return the time to process the prompts in an engine's cache again; None if it does not say within 2 s."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return cost.seconds(*[await _get(target, path) for path in cost.paths])
    except (TimeoutError, TransportError, TooManyConnectionsError):
        return None


async def _get(target: RunningTarget, path: bytes) -> bytes:
    """Return a response's body, cut at 1 MiB."""
    body = b""
    request = OneShotRequest(b"GET", path)
    async with request_once(target, request, connect_timeout_s=_TIMEOUT_S) as connection:
        async for part in connection:
            body += part
            if len(body) > _MAX_BYTES:
                break
    return body
