"""The headers that report a key's limits, in the forms that clients of OpenAI's and of Anthropic's API read. Pure."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from gglib.proxy.limits.key_meter import KeyMeter

Dimension = tuple[bytes, int, int, float]
"""Name, limit, what remains of it, and the seconds until all of it remains."""

_REQUESTS, _TOKENS = b"requests", b"tokens"
_OPENAI = (b"x-ratelimit-limit-%b", b"x-ratelimit-remaining-%b", b"x-ratelimit-reset-%b")
_ANTHROPIC = (
    b"anthropic-ratelimit-%b-limit",
    b"anthropic-ratelimit-%b-remaining",
    b"anthropic-ratelimit-%b-reset",
)
NAMES = tuple(form % dimension for dimension in (_REQUESTS, _TOKENS) for form in (*_OPENAI, *_ANTHROPIC))
"""The names of all headers of this module."""


def _lines(forms: tuple[bytes, ...]) -> Mapping[bytes, bytes]:
    """Return the lines of each dimension, with places for limit, remainder and reset."""
    return {
        dimension: b"%b: %%d\r\n%b: %%d\r\n%b: %%b\r\n" % tuple(form % dimension for form in forms)
        for dimension in (_REQUESTS, _TOKENS)
    }


_OPENAI_LINES, _ANTHROPIC_LINES = _lines(_OPENAI), _lines(_ANTHROPIC)


def openai_lines(meter: KeyMeter, now_s: float) -> bytes:
    """Return ``x-ratelimit-*`` as serialized header lines, for the limits that are set."""
    return b"".join(
        _OPENAI_LINES[dimension] % (limit, remaining, reset_text(reset_s).encode())
        for dimension, limit, remaining, reset_s in _dimensions(meter, now_s)
    )


def anthropic_lines(meter: KeyMeter, now_s: float, epoch_s: float) -> bytes:
    """Return ``anthropic-ratelimit-*`` as serialized header lines. ``epoch_s`` is ``now_s`` since the epoch."""
    return b"".join(
        _ANTHROPIC_LINES[dimension] % (limit, remaining, _time_text(epoch_s + reset_s).encode())
        for dimension, limit, remaining, reset_s in _dimensions(meter, now_s)
    )


def reset_text(seconds: float) -> str:
    """Return a duration as OpenAI's API writes it: ``0s``, ``250ms``, ``12s``, ``1m0s``. Rounded up."""
    if seconds <= 0:
        return "0s"
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _time_text(epoch_s: float) -> str:
    """Return a time in the form of RFC 3339, rounded up to a second."""
    return datetime.fromtimestamp(math.ceil(epoch_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _dimensions(meter: KeyMeter, now_s: float) -> Iterator[Dimension]:
    limits, use = meter.limits, meter.use(now_s)
    if limits.rpm is not None:
        yield _REQUESTS, limits.rpm, max(0, limits.rpm - use.requests), use.requests_reset_s
    if limits.tpm is not None:
        remaining = max(0, limits.tpm - use.tokens - use.reserved_tokens)
        yield _TOKENS, limits.tpm, remaining, use.tokens_reset_s
