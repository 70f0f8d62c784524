"""Usage: requests and tokens, added up by key, model, client and time. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class UsageField(Enum):
    """What usage is grouped by."""

    HOUR = "hour"
    DAY = "day"
    """Hours and days of the server's time zone."""
    KEY = "key"
    MODEL = "model"
    CLIENT = "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """Which usage is added up, and how it is grouped. ``""`` as a text: usage without one."""

    by: tuple[UsageField, ...] = ()
    """``HOUR`` and ``DAY`` exclude each other; none: one row, the total."""
    since_s: float | None = None
    until_s: float | None = None
    """Seconds since the epoch, rounded down to the hour."""
    key: str | None = None
    model: str | None = None
    client: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """The usage of one group. A field that it is not grouped by is None."""

    start_s: float | None = None
    """Start of its hour or day, in seconds since the epoch."""
    key: str | None = None
    model: str | None = None
    client: str | None = None
    """Names; ``""``: requests without one."""
    requests: int = 0
    failed: int = 0
    """Requests with an error or an incomplete response, a part of ``requests``."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """A part of ``prompt_tokens``."""
    busy_s: float = 0.0
    """Sum of the durations of the requests that a model served, without their waits for it."""


def total_usage(rows: Iterable[UsageRow]) -> UsageRow:
    """Return the sum of groups that have no request in common."""
    rows = tuple(rows)
    return UsageRow(
        requests=sum(row.requests for row in rows),
        failed=sum(row.failed for row in rows),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        completion_tokens=sum(row.completion_tokens for row in rows),
        cached_tokens=sum(row.cached_tokens for row in rows),
        busy_s=sum(row.busy_s for row in rows),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """One request of a key, for its limits."""

    key: str
    started_at_s: float
    ended_at_s: float
    """Seconds since the epoch."""
    tokens: int
    """Prompt and completion together."""
    requests: int = 1
    """More than 1 for an aggregated row."""
