"""``gglib usage``: the table, its bars, and CSV."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from gglib.cli.views import usage
from gglib.core.history.usage import UsageField, UsageRow

NOW = datetime(2026, 11, 28, 10, 30, tzinfo=timezone(timedelta(hours=2)))
DAY_S = datetime(2026, 11, 27, tzinfo=NOW.tzinfo).timestamp()


def row(**fields: Any) -> UsageRow:
    """Return the usage of some requests."""
    return UsageRow(
        **{
            "requests": 1200,
            "failed": 3,
            "prompt_tokens": 1_000_000,
            "completion_tokens": 250_000,
            "cached_tokens": 370_000,
            "busy_s": 5400.0,
            **fields,
        }
    )


TOTAL = row(requests=2400, prompt_tokens=1_500_000)
DAYS = [row(start_s=DAY_S), row(start_s=DAY_S + 86_400, prompt_tokens=500_000, cached_tokens=0)]


def drawn(width: int | None, rows: list[UsageRow], *by: UsageField, has_bars: bool = True) -> list[str]:
    """Return the lines without styles."""
    lines = usage.usage_lines(rows, TOTAL, by, NOW, width, has_bars=has_bars)
    return ["".join(text for text, _ in line) for line in lines]


def test_days_have_a_total_and_bars() -> None:
    """The longest bar is the busiest day's; the total has none."""
    assert drawn(90, DAYS, UsageField.DAY) == [
        "DAY         REQUESTS  FAILED         IN  CACHED      OUT        BUSY  IN + OUT",
        "2026-11-27     1,200       3  1,000,000    37 %  250,000  1 h 30 min  ████████████████████",
        "2026-11-28     1,200       3    500,000     0 %  250,000  1 h 30 min  ████████████",
        "Total          2,400       3  1,500,000    25 %  250,000  1 h 30 min",
    ]


@pytest.mark.parametrize(("width", "has_bars"), [(None, True), (70, True), (90, False)])
def test_table_without_room_has_no_bars(width: int | None, has_bars: Any) -> None:
    """Nor in a pipe, nor where the terminal lacks the characters."""
    assert not any("█" in line for line in drawn(width, DAYS, UsageField.DAY, has_bars=has_bars))


def test_one_row_is_its_own_total() -> None:
    """Neither a total nor a bar."""
    assert len(drawn(120, DAYS[:1], UsageField.DAY)) == 2
    assert "█" not in "".join(drawn(120, DAYS[:1], UsageField.DAY))


def test_narrow_terminal_drops_columns_and_no_name() -> None:
    """Requests and tokens stay."""
    rows = [row(key="alice", model="qwen2.5-coder-32b-instruct"), row(key="", model="smollm2")]
    lines = drawn(72, rows, UsageField.KEY, UsageField.MODEL)
    assert lines[0].split() == ["KEY", "MODEL", "REQUESTS", "FAILED", "IN", "OUT"]
    assert lines[1].startswith("alice  qwen2.5-coder-32b-instruct     1,200")
    assert lines[2].startswith("-      smollm2 ")
    assert lines[3].startswith("Total  ")


def test_hours_have_their_time() -> None:
    """Also at midnight; days of another zone do, too."""
    assert usage.group_cell(row(start_s=DAY_S), UsageField.HOUR, NOW) == "2026-11-27 00:00"
    assert usage.group_cell(row(start_s=DAY_S + 3600), UsageField.HOUR, NOW) == "2026-11-27 01:00"
    assert usage.group_cell(row(start_s=DAY_S + 3600), UsageField.DAY, NOW) == "2026-11-27 01:00"
    assert usage.group_cell(row(client="codex"), UsageField.CLIENT, NOW) == "codex"


@pytest.mark.parametrize(
    ("tokens", "lengths"),
    [([8, 4, 1], ["████", "██", "▌"]), ([1_000_000, 1, 0], ["████", "▏", ""]), ([0, 0], ["████", "████"])],
)
def test_bar_is_in_eighths(tokens: list[int], lengths: list[str]) -> None:
    """A little is not nothing. Without tokens, such as those of images, requests are compared."""
    rows = [UsageRow(requests=5, prompt_tokens=count) for count in tokens]
    assert usage.bars(rows, 4) == lengths


def test_csv_has_names_and_numbers() -> None:
    """Times with their zone, exact numbers, and no totals."""
    rows = [row(start_s=DAY_S, key="a,b", busy_s=1.23456)]
    assert usage.usage_csv(rows, (UsageField.DAY, UsageField.KEY), NOW) == (
        "start,key,requests,failed,prompt_tokens,completion_tokens,cached_tokens,busy_s\n"
        '2026-11-27T00:00:00+02:00,"a,b",1200,3,1000000,250000,370000,1.235\n'
    )


@pytest.mark.parametrize(
    ("name", "cell"), [("=1+1", "'=1+1"), ("-x", "'-x"), ("a\x1bb", "a\\x1bb"), ("", ""), (None, "")]
)
def test_name_in_csv_is_no_formula(name: str | None, cell: str) -> None:
    """Clients choose their names."""
    assert (
        usage.usage_csv([row(client=name)], (UsageField.CLIENT,), NOW).splitlines()[1].startswith(f"{cell},")
    )


@pytest.mark.parametrize(
    ("since_s", "until_s", "note"),
    [
        (None, None, "All usage so far."),
        (None, DAY_S, "All usage until 2026-11-27."),
        (DAY_S, None, "Usage since 2026-11-27."),
        (DAY_S, DAY_S + 3600, "Usage from 2026-11-27 to 2026-11-27 01:00."),
    ],
)
def test_period_is_said(since_s: float | None, until_s: float | None, note: str) -> None:
    """So that a table is not taken for all there is."""
    assert usage.period_note(since_s, until_s, NOW) == note


def test_usage_that_is_not_grouped_is_one_row() -> None:
    """The total, without a row for it below."""
    columns, rows = usage.usage_table([TOTAL], TOTAL, (), NOW)
    assert columns == list(usage.FIGURES)
    assert rows == [usage.figures(TOTAL)]


def test_group_without_a_time_or_a_name_has_a_dash() -> None:
    """Usage of requests without a key, and of rows without a start."""
    fields = (UsageField.DAY, UsageField.KEY, UsageField.MODEL, UsageField.CLIENT)
    assert [usage.group_cell(row(), field, NOW) for field in fields] == ["-"] * 4
