"""The queries of the API."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from gglib.cli.history.query import request_path, requests_path, usage_path
from gglib.core.history.requests import RequestFilter
from gglib.core.history.times import parse_time
from gglib.core.history.usage import UsageField, UsageQuery


def test_query_has_what_is_set() -> None:
    """An empty name is sent: it selects requests without one."""
    wanted = RequestFilter(
        key="",
        model="a b/c&d",
        statuses=(400, 499),
        is_failed=True,
        caused_swap=True,
        min_duration_s=0.5,
        text="ü",
    )
    path = requests_path(wanted, limit=20, state="finished", before=7, after=3)
    query = parse_qs(urlsplit(path).query, keep_blank_values=True)
    assert query == {
        "state": ["finished"],
        "key": [""],
        "model": ["a b/c&d"],
        "status": ["4xx"],
        "failed": ["true"],
        "swap": ["true"],
        "min_duration_s": ["0.5"],
        "q": ["ü"],
        "limit": ["20"],
        "before": ["7"],
        "after": ["3"],
    }
    assert "+" not in path
    assert path.isascii()


@pytest.mark.parametrize("at_s", [0.0, 12.5, 1_764_412_345.678, 99_999_999_999.0])
def test_time_is_read_by_the_server(at_s: float) -> None:
    """As seconds since the epoch, independent of its time zone."""
    query = parse_qs(urlsplit(requests_path(RequestFilter(since_s=at_s, until_s=at_s), limit=1)).query)
    now = datetime(2026, 11, 28, tzinfo=UTC)
    assert [parse_time(query[name][0], now) for name in ("since", "until")] == [at_s, at_s]


def test_one_status_is_sent_as_a_number() -> None:
    """A filter without anything has a limit only."""
    assert requests_path(RequestFilter(statuses=(404, 404)), limit=1) == "/gglib/requests?status=404&limit=1"
    assert requests_path(RequestFilter(), limit=5) == "/gglib/requests?limit=5"


@pytest.mark.parametrize(
    ("request_id", "path"),
    [
        ("42", "/gglib/requests/42"),
        ("a/../b?c", "/gglib/requests/a%2F..%2Fb%3Fc"),
        ("\udcff", "/gglib/requests/%3F"),
    ],
)
def test_id_stays_in_its_part_of_the_path(request_id: str, path: str) -> None:
    """Ids of clients may have any visible character."""
    assert request_path(request_id) == path


def test_usage_query_has_its_groups() -> None:
    """Without anything, there is no query."""
    assert usage_path(UsageQuery()) == "/gglib/usage"
    query = UsageQuery(by=(UsageField.DAY, UsageField.KEY), since_s=1_764_374_400.0, client="")
    assert usage_path(query) == "/gglib/usage?by=day%2Ckey&since=1764374400.000&client="
