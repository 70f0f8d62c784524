"""The options that select requests and usage."""

from datetime import datetime, timedelta, timezone
from typing import Any

import click
import pytest

from gglib.cli.completion.completers import COMPLETERS
from gglib.cli.history.filters import (
    matching_id,
    request_filter,
    seconds_of,
    statuses_of,
    usage_fields,
)
from gglib.core.errors import GglibError
from gglib.core.history.requests import RequestFilter
from gglib.core.history.usage import UsageField

NOW = datetime(2026, 11, 28, 10, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, RequestFilter()),
        ({"text": "qwen", "status": "404"}, RequestFilter(text="qwen", statuses=(404, 404))),
        ({"text": ""}, RequestFilter()),
        ({"key": "-", "client": ""}, RequestFilter(key="", client="")),
        ({"key": "a", "client": "b", "model": "c"}, RequestFilter(key="a", client="b", model="c")),
        ({"profile": "-", "route": "/r", "node": "n"}, RequestFilter(profile="", route="/r", node="n")),
        ({"error": "x", "swap": True}, RequestFilter(error="x", caused_swap=True)),
        ({"failed": True}, RequestFilter(is_failed=True)),
        ({"status": "failed"}, RequestFilter(is_failed=True)),
        ({"slow": "500ms"}, RequestFilter(min_duration_s=0.5)),
        ({"since": "90m"}, RequestFilter(since_s=NOW.timestamp() - 5400)),
        (
            {"since": "2026-11-27", "until": "today"},
            RequestFilter(
                since_s=datetime(2026, 11, 27, tzinfo=NOW.tzinfo).timestamp(),
                until_s=datetime(2026, 11, 28, tzinfo=NOW.tzinfo).timestamp(),
            ),
        ),
        ({"since": "9000w"}, RequestFilter(since_s=0.0)),
        ({"until": "9999-01-01"}, RequestFilter(until_s=99_999_999_999.0)),
    ],
)
def test_options_are_a_filter(options: dict[str, Any], wanted: RequestFilter) -> None:
    """``-`` and an empty name select requests without one; times are in the zone of the user."""
    assert request_filter(**options, now=NOW) == wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"since": "soon"}, "--since: 'soon' is not a time: use a time ago such as 90m"),
        ({"until": "2026-13-01"}, "--until: '2026-13-01' is not a time"),
        ({"since": "1h", "until": "2h"}, "--until has to be later than --since."),
        ({"slow": "fast"}, "--slow needs seconds, such as 2 or 0.5, or 500ms or 1m: not 'fast'."),
        ({"slow": "-1"}, "--slow needs seconds"),
        ({"status": "ok"}, "'ok' is no status: use a number such as 404, a class such as 4xx, or 'failed'."),
        ({"status": "604"}, "'604' is no status"),
        ({"status": "4x"}, "'4x' is no status"),
    ],
)
def test_mistake_is_explained(options: dict[str, Any], message: str) -> None:
    """With what could have been meant."""
    with pytest.raises(click.UsageError) as raised:
        request_filter(**options, now=NOW)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("typed", "seconds"), [("2", 2), ("0.5", 0.5), ("250ms", 0.25), ("3 s", 3), ("2m", 120), ("1h", 3600)]
)
def test_seconds_may_have_a_unit(typed: str, seconds: float) -> None:
    """Digits alone are seconds."""
    assert seconds_of(typed, "--slow") == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("typed", "statuses"), [("499", (499, 499)), ("5xx", (500, 599)), ("4XX", (400, 499)), ("failed", None)]
)
def test_status_is_one_or_a_class(typed: str, statuses: tuple[int, int] | None) -> None:
    """The class in upper or lower case."""
    assert statuses_of(typed) == statuses


def test_every_completed_value_is_valid() -> None:
    """Of ``--status`` and ``--by``."""
    ctx = click.Context(click.Command("x"))
    for status in COMPLETERS["requests.status"](ctx, ""):
        statuses_of(str(status))
    completed = [str(name) for name in COMPLETERS["usage.by"](ctx, "")]
    assert {usage_fields((name,))[0] for name in completed} == set(UsageField)


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ((), ()),
        (("day",), (UsageField.DAY,)),
        (("key,model", "key"), (UsageField.KEY, UsageField.MODEL)),
        (("Hour", " client,"), (UsageField.HOUR, UsageField.CLIENT)),
    ],
)
def test_usage_is_grouped_by_each_field_once(typed: tuple[str, ...], fields: tuple[UsageField, ...]) -> None:
    """In the order of the options, which may be lists."""
    assert usage_fields(typed) == fields


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("week",), "--by has no 'week': use hour, day, key, model, client, or several of them."),
        (("day,hour",), "--by takes either hour or day: hours have their days."),
    ],
)
def test_mistake_in_a_group_is_explained(typed: tuple[str, ...], message: str) -> None:
    """With the fields that exist."""
    with pytest.raises(click.UsageError, match=f"^{message}$"):
        usage_fields(typed)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("req_a0000001f", "req_a0000001f"),
        ("0000001f", "req_a0000001f"),
        ("req_a00000020", "req_a00000020"),
        ("job", "job-7"),
        ("job-77", None),
        ("", None),
        ("x", "x"),
    ],
)
def test_id_is_found_by_its_end(typed: str, found: str | None) -> None:
    """As it is listed; a whole id precedes an end."""
    assert matching_id(typed, ["req_a0000001f", "req_a00000020", "job-7", "x", "xx"]) == found


def test_part_of_several_ids_is_refused() -> None:
    """The wrong request must not be cancelled."""
    with pytest.raises(GglibError, match="'req_' is a part of several ids: req_1, req_2"):
        matching_id("req_", ["req_1", "req_2", "req_1"])
