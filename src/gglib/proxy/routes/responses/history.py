"""Responses about requests and usage. Values only."""

from dataclasses import dataclass
from typing import Annotated, Self

from msgspec import Meta

from gglib.core.history.body_texts import BodyTexts
from gglib.core.history.requests import RunningRequest, StoredRequest
from gglib.core.history.usage import UsageRow, total_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Requests in progress, and a page of the stored ones."""

    running: Annotated[tuple[RunningRequest, ...], Meta(description="Oldest first; only without `before`.")]
    requests: Annotated[tuple[StoredRequest, ...], Meta(description="Newest first.")]
    next_before: Annotated[int | None, Meta(description="`before` of the next page; null after the last.")]
    is_off: Annotated[bool, Meta(description="Whether requests are not stored: `history = false`.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDetails:
    """One request: in progress, or stored. If an id was used twice, it may be both."""

    running: RunningRequest | None
    request: StoredRequest | None
    bodies: Annotated[BodyTexts | None, Meta(description="Null if they were not recorded.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledRequest:
    """A request that was in progress."""

    cancelled: Annotated[str, Meta(description="Its id.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawnRequest:
    """Whether a forwarded request was withdrawn."""

    withdrawn: Annotated[
        bool, Meta(description="False if it is unknown, or does not wait for its model any more.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Usage by group, and its sum."""

    usage: Annotated[tuple[UsageRow, ...], Meta(description="Sorted by the fields of `by`.")]
    total: UsageRow

    @classmethod
    def of(cls, rows: tuple[UsageRow, ...]) -> Self:
        """Return the response with these groups."""
        return cls(usage=rows, total=total_usage(rows))
