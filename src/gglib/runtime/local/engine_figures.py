"""Reads figures of a running engine over its own HTTP routes."""

import asyncio

from gglib.core.models import RunningTarget
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.http.errors import TooManyConnectionsError, TransportError
from gglib.runtime.engines.llama_cpp.prompt_cost import prompt_cost_s

_TIMEOUT_S = 2.0
_MAX_BYTES = 1024 * 1024


async def read_prompt_cost_s(target: RunningTarget) -> float | None:
    """Return the time to process the prompts in an engine's slots again; None if it does not say within 2 s."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return prompt_cost_s(await _get(target, b"/slots"), await _get(target, b"/metrics"))
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
