"""Adds up stored usage by hour or day, key, model and client."""

import sqlite3
from functools import lru_cache

from gglib.core.history.usage import UsageField, UsageQuery, UsageRow
from gglib.db.history.local_time import local_offset
from gglib.db.history.reading.search import Conditions
from gglib.db.history.usage_times import OffsetOf, day_start, hour_start

_GROUPS = {
    UsageField.HOUR: "u.hour",
    UsageField.DAY: "local_day(u.hour)",
    UsageField.KEY: "u.key",
    UsageField.MODEL: "u.model",
    UsageField.CLIENT: "u.client",
}
_SUMS = (
    "sum(requests), sum(failed), sum(prompt_tokens), sum(completion_tokens), sum(cached_tokens), sum(busy_us)"
)
_TIMES = (UsageField.HOUR, UsageField.DAY)


def find_usage(
    connection: sqlite3.Connection, query: UsageQuery, offset_of: OffsetOf = local_offset
) -> tuple[UsageRow, ...]:
    """Return the usage, grouped and sorted by the fields of ``query.by``. Raises sqlite3.Error."""
    sql, values = usage_statement(query, offset_of)
    connection.create_function("local_day", 1, lru_cache(None)(lambda hour: day_start(hour, offset_of)))
    names = dict(
        connection.execute(
            "SELECT id, text FROM names WHERE id IN (SELECT key FROM usage UNION"
            " SELECT model FROM usage UNION SELECT client FROM usage)"
        ).fetchall()
    )
    rows = [_row(query, row, names) for row in connection.execute(sql, values)]
    return tuple(sorted(rows, key=lambda row: [_value(row, by) for by in query.by]))


def usage_statement(query: UsageQuery, offset_of: OffsetOf) -> tuple[str, list[object]]:
    """Return the statement that adds up, and its parameters."""
    conditions = Conditions()
    if query.since_s is not None:
        conditions.add("u.hour >= ?", hour_start(query.since_s, offset_of))
    if query.until_s is not None:
        conditions.add("u.hour < ?", hour_start(query.until_s, offset_of))
    for name, text in (("key", query.key), ("model", query.model), ("client", query.client)):
        if text is not None:
            stored = text.encode("utf-8", "replace").decode()
            conditions.add(f"u.{name} = (SELECT id FROM names WHERE text = ?)", stored)  # noqa: S608 - constants
    groups = ", ".join(_GROUPS[by] for by in query.by)
    columns = ", ".join(filter(None, (groups, _SUMS)))
    group_by = f" GROUP BY {groups}" if groups else ""
    return f"SELECT {columns} FROM usage u WHERE {conditions.sql}{group_by}", conditions.values  # noqa: S608 - constants


def _row(query: UsageQuery, row: tuple[int | None, ...], names: dict[int, str]) -> UsageRow:
    group = {by: value or 0 for by, value in zip(query.by, row, strict=False)}
    requests, failed, prompt, completion, cached, busy_us = (value or 0 for value in row[len(query.by) :])
    start = next((float(group[by]) for by in _TIMES if by in group), None)
    key, model, client = (
        names.get(group[by], "") if by in group else None
        for by in (UsageField.KEY, UsageField.MODEL, UsageField.CLIENT)
    )
    return UsageRow(
        start_s=start,
        key=key,
        model=model,
        client=client,
        requests=requests,
        failed=failed,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        busy_s=busy_us / 1e6,
    )


def _value(row: UsageRow, by: UsageField) -> float | str:
    values = {UsageField.KEY: row.key, UsageField.MODEL: row.model, UsageField.CLIENT: row.client}
    return values.get(by, row.start_s) or ""
