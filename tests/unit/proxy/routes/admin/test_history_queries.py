"""The parameters of ``/gglib/requests`` and ``/gglib/usage``."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gglib.core.history.requests import RequestFilter
from gglib.core.history.usage import UsageField, UsageQuery, UsageRow, total_usage
from gglib.proxy.errors import BadRequestError
from gglib.proxy.routes.admin.history_queries import request_filter, usage_query
from gglib.proxy.routes.parsing import read_query
from gglib.proxy.routes.requests import RequestsQuery, UsageParameters

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def filter_of(query: str) -> RequestFilter:
    """Return the filter of a query string."""
    return request_filter(read_query(RequestsQuery, query.encode()), NOW)


def usage_of(query: str) -> UsageQuery:
    """Return the query of a query string."""
    return usage_query(read_query(UsageParameters, query.encode()), NOW)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", RequestFilter()),
        ("key=&model=a%2Fb", RequestFilter(key="", model="a/b")),
        ("status=404", RequestFilter(statuses=(404, 404))),
        ("status=5xx", RequestFilter(statuses=(500, 599))),
        ("status=failed", RequestFilter(is_failed=True)),
        ("status=failed&failed=true", RequestFilter(is_failed=True)),
        ("failed=false&swap=true", RequestFilter(is_failed=False, caused_swap=True)),
        ("min_duration_s=1.5", RequestFilter(min_duration_s=1.5)),
        ("min_duration_s=1e-05", RequestFilter(min_duration_s=1e-05)),
        ("min_duration_s=2", RequestFilter(min_duration_s=2.0)),
        ("since=1h", RequestFilter(since_s=NOW.timestamp() - 3600)),
        ("until=2026-11-29", RequestFilter(until_s=NOW.timestamp() - 43_200)),
        ("q=a+b", RequestFilter(text="a b")),
        ("q=", RequestFilter()),
    ],
)
def test_a_filter(query: str, expected: RequestFilter) -> None:
    """Empty names mean requests without one; an empty text means nothing."""
    assert filter_of(query) == expected


@pytest.mark.parametrize(
    "query", ["min_duration_s=1.", "min_duration_s=inf", "status=6xx", "since=", "until=9"]
)
def test_other_values_are_refused(query: str) -> None:
    """The error names the parameter."""
    with pytest.raises(BadRequestError) as error:
        filter_of(query)
    assert error.value.param == query.partition("=")[0]


def test_a_usage_query() -> None:
    """The grouping keeps its order."""
    fields = (UsageField.MODEL, UsageField.DAY)
    assert usage_of("by=model,day&key=") == UsageQuery(by=fields, key="")
    assert usage_of("by=") == usage_of("") == UsageQuery()


@pytest.mark.parametrize("read", [filter_of, usage_of])
def test_a_period_that_ends_before_it_begins_is_refused(read: Callable[[str], object]) -> None:
    """Its zeros would look like an answer."""
    with pytest.raises(BadRequestError, match="'until' has to be later than 'since'") as error:
        read("since=10m&until=1h")
    assert error.value.param == "until"
    read("since=1h&until=10m")


@pytest.mark.parametrize("by", ["day,hour", "key,key", "key,", ",", "Day", "key%20"])
def test_another_grouping_is_refused(by: str) -> None:
    """The error names the parameter."""
    with pytest.raises(BadRequestError) as error:
        usage_of(f"by={by}")
    assert error.value.param == "by"


def test_the_total_is_the_sum_of_the_groups() -> None:
    """It has no group itself."""
    rows = (
        UsageRow(
            key="a", requests=2, failed=1, prompt_tokens=3, completion_tokens=4, cached_tokens=1, busy_s=0.5
        ),
        UsageRow(key="b", requests=1, prompt_tokens=10, busy_s=1.0),
    )
    assert total_usage(rows) == UsageRow(
        requests=3, failed=1, prompt_tokens=13, completion_tokens=4, cached_tokens=1, busy_s=1.5
    )
    assert total_usage(()) == UsageRow()


def test_status_and_failed_may_not_contradict_each_other() -> None:
    """Both ask for failed requests, or one of them says nothing."""
    with pytest.raises(BadRequestError, match="contradict"):
        request_filter(RequestsQuery(status="failed", failed=False), NOW)
    assert request_filter(RequestsQuery(status="failed", failed=True), NOW).is_failed is True
    assert request_filter(RequestsQuery(status="failed"), NOW).is_failed is True
