"""Writes filters as the queries of ``/gglib/requests`` and ``/gglib/usage``. Pure."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from gglib.core.history.requests import RequestFilter
from gglib.core.history.usage import UsageQuery

REQUESTS_PATH = "/gglib/requests"
USAGE_PATH = "/gglib/usage"
_TIME_DIGITS = 13
"""Nine digits, the point and three more: shorter numbers are no seconds since the epoch for ``parse_time``."""
_NAMES = ("key", "client", "model", "profile", "route", "error", "node", "request_id")


def requests_path(
    wanted: RequestFilter,
    *,
    limit: int,
    state: str | None = None,
    before: int | None = None,
    after: int | None = None,
) -> str:
    """Return the path and query of ``GET /gglib/requests``."""
    values: dict[str, str | None] = {
        "state": state,
        **{name: getattr(wanted, name) for name in _NAMES},
        "status": None if wanted.statuses is None else _status(*wanted.statuses),
        "failed": _boolean(wanted.is_failed),
        "swap": _boolean(wanted.caused_swap),
        "min_duration_s": None if wanted.min_duration_s is None else f"{wanted.min_duration_s:g}",
        "q": wanted.text,
        "since": _time(wanted.since_s),
        "until": _time(wanted.until_s),
        "limit": str(limit),
        "before": None if before is None else str(before),
        "after": None if after is None else str(after),
    }
    return _with_query(REQUESTS_PATH, values)


def request_path(request: str) -> str:
    """Return the path of one request, by its number or id."""
    return f"{REQUESTS_PATH}/{quote(request, safe='', errors='replace')}"


def usage_path(query: UsageQuery) -> str:
    """Return the path and query of ``GET /gglib/usage``."""
    values = {
        "by": ",".join(field.value for field in query.by) or None,
        "since": _time(query.since_s),
        "until": _time(query.until_s),
        "key": query.key,
        "model": query.model,
        "client": query.client,
    }
    return _with_query(USAGE_PATH, values)


def _with_query(path: str, values: Mapping[str, str | None]) -> str:
    given = {name: value for name, value in values.items() if value is not None}
    query = urlencode(given, errors="replace", quote_via=quote)  # arguments of the command may be no UTF-8
    return f"{path}?{query}" if query else path


def _status(first: int, last: int) -> str:
    return str(first) if first == last else f"{first // 100}xx"


def _boolean(value: bool | None) -> str | None:  # noqa: FBT001 - private
    return None if value is None else str(value).lower()


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:0{_TIME_DIGITS}.3f}"
