"""Reads ``keep_alive``: a number of seconds, or a duration in Go's notation. Pure.

Source: Ollama's FAQ on ``keep_alive`` and the documentation of Go's ``time.ParseDuration``.
"""

import math
import re

from gglib.proxy.errors import BadRequestError

_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"([+-]?)((?:{_PART.pattern})+)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_MAX_CHARS = 64
_MAX_S = 2.0**33
"""Longer ones mean for ever: in Go a duration has at most 292 years."""


def read_keep_alive(value: str | float | None) -> float | None:
    """Return ``keep_alive`` in seconds, ``math.inf`` for ever, None if the request sets none.

    A negative value means for ever. Raises ``BadRequestError`` for a text that is no duration.
    """
    if value is None:
        return None
    seconds = _seconds(value) if isinstance(value, str) else float(value)
    return math.inf if seconds < 0 or seconds > _MAX_S else seconds


def _seconds(text: str) -> float:
    """Return the seconds of a text: ``5m``, ``1h30m``, ``-1s``; a number without a unit is in seconds."""
    if len(text) <= _MAX_CHARS:
        if _NUMBER.fullmatch(text):
            return float(text)
        duration = _DURATION.fullmatch(text)
        if duration is not None:
            total = sum(float(number) * _UNIT_S[unit] for number, unit in _PART.findall(duration[2]))
            return -total if duration[1] == "-" else total
    raise BadRequestError(
        '\'keep_alive\' must be a number of seconds or a duration such as "5m" or "1h30m".', "keep_alive"
    )
