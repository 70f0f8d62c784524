"""The parser that finds the names in the dashboard's queries."""

import pytest
from tests.support.promql import PromQLError, check, parse

LABELS = {"a_total": {"model", "code"}, "b_bucket": {"le", "model"}, "info": {"version"}}


@pytest.mark.parametrize(
    ("query", "metrics"),
    [
        ("a_total", {"a_total": set()}),
        ('rate(a_total{model=~"$model", code!="x"}[5m])', {"a_total": {"model", "code"}}),
        ("sum by (le) (rate(b_bucket[$__rate_interval])) / 2.5", {"b_bucket": set()}),
        ("a_total unless a_total offset $__interval", {"a_total": set()}),
        ("time() - max(info)", {"info": set()}),
        ("sum by (model) (a_total and on (job) info or a_total)", {"a_total": set(), "info": set()}),
        ('sum(a_total) or on () label_replace(vector(0), "model", "none", "", "")', {"a_total": set()}),
    ],
)
def test_metrics_and_matchers_are_found(query: str, metrics: dict[str, set[str]]) -> None:
    """Metrics with the labels of their matchers, in every place of a query."""
    assert parse(query).metrics == metrics
    check(query, LABELS)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("c_total", "no metrics"),
        ("sum(rate(a_total[5m])) / c_total", "no metrics"),
        ('a_total{key="x"}', "no labels"),
        ("sum by (key) (a_total)", "to group by"),
        ("sum by (model, version) (a_total)", "to group by"),
        ("a_total and on (job, version) info", "to group by"),
        ('sum by (none) (label_replace(vector(0), "model", "x", "", "") or a_total)', "to group by"),
        ("rates(a_total)", "no function"),
        ("rate(a_total[5m]", "instead of"),
        ("a_total)", "instead of"),
        ("a_total{model=x}", "value of a label"),
        ("a_total offset x", "no duration"),
        ("a_total[$interval]", "not known"),
        ("a_total +", "begins nothing"),
        ("a_total b_bucket", "instead of"),
    ],
)
def test_anything_unknown_is_an_error(query: str, reason: str) -> None:
    """Names, labels, functions and forms."""
    with pytest.raises(PromQLError, match=reason):
        check(query, LABELS)
