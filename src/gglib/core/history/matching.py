"""Whether requests fit a filter, and the stored form of a record. Pure."""

from gglib.core.history.records import CLIENT_CLOSED_REQUEST, FAILED_STATUS, RequestRecord
from gglib.core.history.requests import RequestFilter, RunningRequest, StoredRequest

CLIENT_LEFT = "client_left"
"""Error of a request whose client left before the response started, so that neither error nor cut is recorded."""
_NAMES = ("key", "client", "model", "profile", "route", "error", "node", "request_id")
"""The fields of a filter that are compared exactly."""
_TEXTS = (
    "request_id",
    "route",
    "key",
    "client",
    "address",
    "model",
    "requested_model",
    "profile",
    "error",
    "error_message",
    "swap",
    "node",
)
"""The text fields of a request, which ``RequestFilter.text`` searches."""


def stored_request(record: RequestRecord, number: int | None = None) -> StoredRequest:
    """Return the stored form of a record. ``number`` is its number in the history, None before it is stored."""
    error = record.error_code or record.cut
    if error is None and record.status == CLIENT_CLOSED_REQUEST:
        error = CLIENT_LEFT
    return StoredRequest(
        id=number,
        request_id=record.request_id,
        ended_at_s=record.ended_at_s,
        route=record.route,
        status=record.status,
        model=record.model,
        requested_model=record.requested_model,
        profile=record.profile,
        key=record.key_name,
        client=record.program,
        address=record.client,
        error=error,
        error_message=record.error_message,
        is_streamed=record.is_streamed,
        waited_s=_to_us(record.waited_s),
        first_byte_s=_to_us(record.first_byte_s),
        duration_s=round(record.duration_s, 6),
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        cached_tokens=record.cached_tokens,
        tokens_per_s=record.tokens_per_s,
        swap=record.swap,
        node=record.node,
        has_bodies=record.bodies is not None,
    )


def _to_us(seconds: float | None) -> float | None:
    """Return a time in whole microseconds, as it is stored."""
    return None if seconds is None else round(seconds, 6)


def is_failed(error: str | None, status: int | None) -> bool:
    """Whether a request with this error and status failed: it has an error, no response, or an error's status.

    An engine's own error response that is relayed unchanged has a status and no code.
    """
    return error is not None or status is None or status >= FAILED_STATUS


def matches(request: StoredRequest, wanted: RequestFilter) -> bool:
    """Whether a finished request fits all fields of the filter that are set."""
    status = request.status
    return (
        (wanted.since_s is None or request.ended_at_s >= wanted.since_s)
        and (wanted.until_s is None or request.ended_at_s < wanted.until_s)
        and (
            wanted.statuses is None
            or (status is not None and wanted.statuses[0] <= status <= wanted.statuses[1])
        )
        and (wanted.is_failed is None or wanted.is_failed is is_failed(request.error, status))
        and (wanted.min_duration_s is None or request.duration_s >= wanted.min_duration_s)
        and (wanted.caused_swap is None or wanted.caused_swap is (request.swap is not None))
        and _has_names(request, wanted)
        and (wanted.text is None or _has_text(request, wanted.text))
    )


def matches_running(request: RunningRequest, wanted: RequestFilter) -> bool:
    """Whether a request in progress fits the filter: it has neither end, status, error, swap nor node yet."""
    return (
        wanted.since_s is None
        and wanted.until_s is None
        and wanted.statuses is None
        and not wanted.is_failed
        and not wanted.caused_swap
        and (wanted.min_duration_s is None or request.age_s >= wanted.min_duration_s)
        and _has_names(request, wanted)
        and (wanted.text is None or _has_text(request, wanted.text))
    )


def contains_text(value: str, part: str) -> bool:
    """Whether ``part`` occurs in ``value``, ignoring the case of ASCII letters only, as SQLite's LIKE does."""
    return _lowered(part) in _lowered(value)


def _has_names(request: StoredRequest | RunningRequest, wanted: RequestFilter) -> bool:
    for name in _NAMES:
        expected = getattr(wanted, name)
        if expected is not None and (getattr(request, name, None) or "") != expected:
            return False
    return True


def _has_text(request: StoredRequest | RunningRequest, part: str) -> bool:
    texts = (getattr(request, name, None) for name in _TEXTS)
    return any(contains_text(text, part) for text in texts if text is not None)


def _lowered(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").lower()
