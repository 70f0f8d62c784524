"""Measures how fast a running engine computes, over its own HTTP routes."""

import asyncio

from gglib.core.models import RunningTarget
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.http.errors import TooManyConnectionsError, TransportError
from gglib.runtime.engines.llama_cpp.tuning import timings
from gglib.runtime.engines.llama_cpp.tuning.sample_text import SAMPLE_TEXT, prompt_of
from gglib.runtime.engines.rates import Rates

_CONNECT_TIMEOUT_S = 10.0
_MAX_BYTES = 16 * 1024 * 1024
_JSON = b"content-type: application/json\r\n"


class MeasurementFailedError(Exception):
    """An engine did not respond as expected; the message is a clause."""


async def sample_prompt(target: RunningTarget, count: int, *, limit_s: float) -> list[int]:
    """Return a prompt of ``count`` tokens in the engine's vocabulary. Raises ``MeasurementFailedError``."""
    body = await _post(target, timings.TOKENIZE_PATH, timings.tokenize_body(SAMPLE_TEXT), limit_s)
    try:
        return prompt_of(timings.parse_tokens(body), count)
    except ValueError as error:
        raise MeasurementFailedError(f"the engine cannot be measured: {error}") from None


async def measure_rates(
    target: RunningTarget, prompt: list[int], tokens: int, *, rounds: int, limit_s: float
) -> tuple[Rates, ...]:
    """Return the rates of each round, after one that is not counted: it touches buffers and fills caches.

    Each round computes the whole prompt and generates exactly ``tokens`` tokens, within ``limit_s`` seconds. Raises
    ``MeasurementFailedError``.
    """
    request = timings.completion_body(prompt, tokens)
    measured = []
    for _ in range(1 + rounds):
        body = await _post(target, timings.COMPLETION_PATH, request, limit_s)
        try:
            measured.append(timings.parse_rates(body, prompt_tokens=len(prompt), tokens=tokens))
        except ValueError as error:
            raise MeasurementFailedError(f"the engine cannot be measured: {error}") from None
    return tuple(measured[1:])


async def _post(target: RunningTarget, path: bytes, body: bytes, limit_s: float) -> bytes:
    """Return the body of a response with status 200."""
    request = OneShotRequest(b"POST", path, _JSON, body)
    received = bytearray()
    try:
        async with (
            asyncio.timeout(limit_s),
            request_once(target, request, connect_timeout_s=_CONNECT_TIMEOUT_S) as connection,
        ):
            async for part in connection:
                received += part
                if len(received) > _MAX_BYTES:
                    raise MeasurementFailedError("the engine's response is too large")
            status = connection.head.status
    except TimeoutError:
        raise MeasurementFailedError(f"one turn took more than {limit_s:.0f} s") from None
    except (TransportError, TooManyConnectionsError) as error:
        raise MeasurementFailedError(f"the engine stopped responding ({error})") from error
    if status != 200:
        raise MeasurementFailedError(f"the engine refused the request: {timings.error_text(bytes(received))}")
    return bytes(received)
