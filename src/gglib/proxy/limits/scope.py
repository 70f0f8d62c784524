"""Runs one request of a key with limits: checks them, reserves its tokens, and counts what it used at its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, time

from gglib.proxy.dialects.errors import ANTHROPIC, dialect_for
from gglib.proxy.errors import RateLimitError, TokenRateLimitError
from gglib.proxy.limits import estimates
from gglib.proxy.limits.headers import anthropic_lines, openai_lines
from gglib.proxy.limits.key_meter import Excess, KeyMeter, LimitName
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.token_usage import read_usage


async def read_body(request: ProxyRequest, response: Response, meter: KeyMeter, *, limit_bytes: int) -> bytes:
    """Return the body, from which the tokens are estimated; it can be read again.

    Raises ``RateLimitError`` before it is read if the request would be refused without any tokens.
    """
    _check(request, response, meter, monotonic(), 0)
    body = await request.read_body(limit_bytes=limit_bytes)
    request.keep_body(body)
    return body


@contextmanager
def metered(
    request: ProxyRequest,
    response: Response,
    meter: KeyMeter,
    body: bytes | None,
    *,
    is_generating: bool = True,
) -> Iterator[None]:
    """Count a request during the block, and its tokens at the end. Adds the headers of the limits to the response.

    ``body`` is None if the request has no tokens, or they are not limited. Without ``is_generating`` it has those of
    its prompt only. Raises ``RateLimitError`` if the request is
    refused.
    """
    prompt = limit = reserved = 0
    if body is not None:
        prompt = estimates.prompt_tokens(body)
        if is_generating:
            given = estimates.completion_limit(body)
            limit = meter.completion_estimate if given is None else given
        reserved = prompt + limit
    started_s = monotonic()
    _check(request, response, meter, started_s, None if body is None else reserved)
    meter.begin(started_s, reserved)
    try:
        response.extra_header_lines += _header_lines(request, meter, started_s)
        yield
    finally:
        now_s = monotonic()
        used_prompt, completion = (0, None) if body is None else _tokens(request, response, prompt)
        meter.end(now_s, reserved, prompt=used_prompt, completion=completion, duration_s=now_s - started_s)


def header_lines(request: ProxyRequest, meter: KeyMeter) -> bytes:
    """Return the headers of the limits for a request that does not count."""
    return _header_lines(request, meter, monotonic())


def _check(
    request: ProxyRequest, response: Response, meter: KeyMeter, now_s: float, tokens: int | None
) -> None:
    excess = meter.check(now_s, tokens)
    if excess is not None:
        response.extra_header_lines += _header_lines(request, meter, now_s)
        raise _error(meter, excess)


def _error(meter: KeyMeter, excess: Excess) -> RateLimitError:
    error = TokenRateLimitError if excess.name is LimitName.TPM else RateLimitError
    return error(
        meter.name,
        excess.name.value,
        excess.limit,
        excess.used,
        retry_after_s=excess.wait_s,
        requested=excess.requested,
    )


def _header_lines(request: ProxyRequest, meter: KeyMeter, now_s: float) -> bytes:
    if dialect_for(request.path, request.fields) is ANTHROPIC:
        return anthropic_lines(meter, now_s, time())
    return openai_lines(meter, now_s)


def _tokens(request: ProxyRequest, response: Response, prompt: int) -> tuple[int, int | None]:
    """Return the tokens of prompt and completion that a response reports; None: it has no completion.

    One that breaks off reports none. Its tokens are the estimate of the prompt and, of a stream, one for each part, so
    that a client that leaves before the end of its responses is limited, too.
    """
    usage = read_usage(response.usage_excerpt, request.path)
    if usage.prompt_tokens is not None or usage.completion_tokens is not None:
        return usage.prompt_tokens or 0, usage.completion_tokens
    if response.is_stream and response.status == 200 and response.chunks:
        return prompt, response.chunks
    has_left = request.is_disconnected and request.running_target is not None
    return (prompt if has_left else 0), None
