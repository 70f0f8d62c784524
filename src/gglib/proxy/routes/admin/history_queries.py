"""Converts the parameters of requests for history and usage into those of the port. Pure."""

from datetime import datetime

from gglib.core.history.requests import RequestFilter
from gglib.core.history.times import parse_time
from gglib.core.history.usage import UsageField, UsageQuery
from gglib.proxy.errors import BadRequestError
from gglib.proxy.routes.requests import RequestsQuery, UsageParameters

_FAILED = "failed"


def request_filter(query: RequestsQuery, now: datetime) -> RequestFilter:
    """Return the filter. ``now`` is aware. Raises ``BadRequestError`` for an unusable time or a contradiction."""
    is_failed = query.failed
    if query.status == _FAILED:
        if is_failed is False:
            raise BadRequestError("'status' and 'failed' contradict each other.", "failed")
        is_failed = True
    since_s, until_s = _period(query.since, query.until, now)
    return RequestFilter(
        since_s=since_s,
        until_s=until_s,
        key=query.key,
        client=query.client,
        model=query.model,
        profile=query.profile,
        route=query.route,
        error=query.error,
        node=query.node,
        request_id=query.request_id,
        statuses=_statuses(query.status),
        is_failed=is_failed,
        min_duration_s=query.min_duration_s,
        caused_swap=query.swap,
        text=query.q or None,
    )


def usage_query(parameters: UsageParameters, now: datetime) -> UsageQuery:
    """Return the query. ``now`` is aware. Raises ``BadRequestError`` for an unusable time or grouping."""
    by = tuple(UsageField(name) for name in (parameters.by or "").split(",") if name)
    if len(set(by)) < len(by):
        raise BadRequestError("'by' names a field twice.", "by")
    if UsageField.HOUR in by and UsageField.DAY in by:
        raise BadRequestError("'by' has both 'hour' and 'day': use one of them.", "by")
    since_s, until_s = _period(parameters.since, parameters.until, now)
    return UsageQuery(
        by=by,
        since_s=since_s,
        until_s=until_s,
        key=parameters.key,
        model=parameters.model,
        client=parameters.client,
    )


def _period(since: str | None, until: str | None, now: datetime) -> tuple[float | None, float | None]:
    since_s, until_s = _time(since, "since", now), _time(until, "until", now)
    if since_s is not None and until_s is not None and until_s < since_s:
        raise BadRequestError("'until' has to be later than 'since'.", "until")
    return since_s, until_s


def _time(text: str | None, name: str, now: datetime) -> float | None:
    if text is None:
        return None
    try:
        return parse_time(text, now)
    except (ValueError, OverflowError) as error:
        raise BadRequestError(f"'{name}': {error}.", name) from error


def _statuses(text: str | None) -> tuple[int, int] | None:
    if text is None or text == _FAILED:
        return None
    if text.endswith("xx"):
        first = int(text[0]) * 100
        return first, first + 99
    return int(text), int(text)
