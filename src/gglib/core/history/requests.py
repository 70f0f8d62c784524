"""Stored requests and their search. Values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A finished request of the history. Times in seconds; ``RequestRecord`` describes the fields."""

    id: int | None
    """Its number in the history, increasing with the time of its end; None until it is stored."""
    request_id: str
    ended_at_s: float
    """Seconds since the epoch."""
    route: str
    status: int | None
    model: str | None = None
    requested_model: str | None = None
    profile: str | None = None
    key: str | None = None
    client: str | None = None
    """Name of the client program."""
    address: str | None = None
    """IP address of the client."""
    error: str | None = None
    """Code of the error; of an incomplete response, why it is incomplete."""
    error_message: str | None = None
    is_streamed: bool = False
    waited_s: float | None = None
    first_byte_s: float | None = None
    duration_s: float = 0.0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    tokens_per_s: float | None = None
    swap: str | None = None
    node: str | None = None
    has_bodies: bool = False
    count: int = 1
    """How many requests the row stands for: more than 1 if they were aggregated (times and speeds are means, tokens are
    sums, and ``request_id`` is the last one)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRequest:
    """A request in progress. Times in seconds."""

    request_id: str
    route: str
    state: str
    """``waiting``: for its model; ``running``: a model serves it, or none is needed."""
    age_s: float
    """Since its arrival."""
    model: str | None = None
    requested_model: str | None = None
    profile: str | None = None
    key: str | None = None
    client: str | None = None
    """Name of the client program."""
    address: str | None = None
    """IP address of the client."""
    is_streamed: bool = False
    """Whether a stream has begun."""
    waited_s: float | None = None
    """How long it waited for its model; None before its admission."""
    chunks: int = 0
    """Parts of the response so far; of most streams the number of tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """Which requests are searched: those that fit all fields that are set. ``""`` as a text: requests without one."""

    since_s: float | None = None
    until_s: float | None = None
    """Inclusive and exclusive limits of ``ended_at_s``."""
    key: str | None = None
    client: str | None = None
    model: str | None = None
    profile: str | None = None
    route: str | None = None
    error: str | None = None
    node: str | None = None
    request_id: str | None = None
    statuses: tuple[int, int] | None = None
    """First and last status, inclusive: (404, 404), (500, 599)."""
    is_failed: bool | None = None
    """Whether the request has an error, or its response is incomplete."""
    min_duration_s: float | None = None
    caused_swap: bool | None = None
    text: str | None = None
    """A part of a name in any text field (key, client, address, model, profile, route, error, node, swap, message) or
    of the request id, ignoring the case of ASCII letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPage:
    """One page of a search, newest first."""

    requests: tuple[StoredRequest, ...]
    next_before: int | None
    """Pass it as ``before`` for the next page; None after the last."""
