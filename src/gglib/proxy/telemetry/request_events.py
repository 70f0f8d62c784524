"""Events of requests, as values for subscribers."""

from dataclasses import dataclass

from gglib.core.history.requests import RunningRequest, StoredRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStarted:
    """A request is in progress."""

    request: RunningRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFinished:
    """A request has ended; its number is not known yet."""

    request: StoredRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEventsLost:
    """The subscriber was too slow and events were dropped. The list of requests has the current state."""


RequestEvent = RequestStarted | RequestFinished | RequestEventsLost
