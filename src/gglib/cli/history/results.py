"""The responses of the API of the history, as values."""

from dataclasses import dataclass

from gglib.core.history.requests import RunningRequest, StoredRequest
from gglib.core.history.usage import UsageRow


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRequests:
    """The response of ``GET /gglib/requests``."""

    running: tuple[RunningRequest, ...] = ()
    """Oldest first."""
    requests: tuple[StoredRequest, ...] = ()
    """Newest first."""
    next_before: int | None = None
    """Where the next page begins; None after the last."""
    is_off: bool = False
    """Whether requests are not recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownBodies:
    """The recorded bodies of a request as texts."""

    request: str
    response: str
    is_request_cut: bool = False
    is_response_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRequest:
    """The response of ``GET /gglib/requests/{id}``."""

    running: RunningRequest | None = None
    request: StoredRequest | None = None
    bodies: ShownBodies | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """The response of ``GET /gglib/usage``."""

    usage: tuple[UsageRow, ...]
    total: UsageRow
