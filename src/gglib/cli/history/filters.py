"""Parses the options that select requests and usage. Pure.

An empty name, and ``-`` as in the tables, selects requests without one.
"""

import re
from datetime import datetime

import click

from gglib.core.errors import GglibError
from gglib.core.history.requests import RequestFilter
from gglib.core.history.times import parse_time
from gglib.core.history.usage import UsageField

NO_NAME = "-"
FAILED = "failed"
"""The value of ``--status`` that is no status."""
LATEST_S = 99_999_999_999.0
"""The latest point in time that ``parse_time`` reads as seconds since the epoch: in the year 5138."""
_STATUS = re.compile(r"(?P<first>[1-5])(?:(?P<rest>\d\d)|xx)", re.IGNORECASE)
_SECONDS = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)\s?(ms|s|m|min|h)?")
_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600}


def name_of(typed: str | None) -> str | None:
    """Return the name in a filter: ``""`` for requests without one; None: any."""
    return "" if typed == NO_NAME else typed


def time_of(typed: str | None, option: str, now: datetime) -> float | None:
    """Return a point in time in seconds since the epoch. Raises ``click.UsageError``."""
    if typed is None:
        return None
    try:
        return min(max(0.0, parse_time(typed, now)), LATEST_S)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"{option}: {error}.") from None


def seconds_of(typed: str | None, option: str) -> float | None:
    """Return a duration in seconds: ``2``, ``0.5``, ``500ms``, ``1m``. Raises ``click.UsageError``."""
    if typed is None:
        return None
    found = _SECONDS.fullmatch(typed.strip())
    if found is None:
        raise click.UsageError(f"{option} needs seconds, such as 2 or 0.5, or 500ms or 1m: not '{typed}'.")
    return float(found[1]) * _UNITS_S[found[2] or "s"]


def statuses_of(typed: str | None) -> tuple[int, int] | None:
    """Return the first and the last status of ``404`` or ``4xx``; None for ``failed``, which is no status.

    Raises ``click.UsageError``.
    """
    if typed is None or typed == FAILED:
        return None
    found = _STATUS.fullmatch(typed)
    if found is None:
        raise click.UsageError(
            f"'{typed}' is no status: use a number such as 404, a class such as 4xx, or 'failed'."
        )
    first = int(found["first"]) * 100
    return (first, first + 99) if found["rest"] is None else (int(typed), int(typed))


def request_filter(  # noqa: PLR0913 - one for each option
    *,
    text: str | None = None,
    key: str | None = None,
    client: str | None = None,
    model: str | None = None,
    profile: str | None = None,
    route: str | None = None,
    node: str | None = None,
    error: str | None = None,
    status: str | None = None,
    failed: bool = False,
    swap: bool = False,
    slow: str | None = None,
    since: str | None = None,
    until: str | None = None,
    now: datetime,
) -> RequestFilter:
    """Return the filter of the options of ``gglib requests``. Raises ``click.UsageError``."""
    since_s, until_s = time_of(since, "--since", now), time_of(until, "--until", now)
    require_period(since_s, until_s)
    return RequestFilter(
        since_s=since_s,
        until_s=until_s,
        key=name_of(key),
        client=name_of(client),
        model=name_of(model),
        profile=name_of(profile),
        route=name_of(route),
        node=name_of(node),
        error=name_of(error),
        statuses=statuses_of(status),
        is_failed=True if failed or status == FAILED else None,
        caused_swap=swap or None,
        min_duration_s=seconds_of(slow, "--slow"),
        text=text or None,
    )


def require_period(since_s: float | None, until_s: float | None) -> None:
    """Raise ``click.UsageError`` for a period that ends before it begins."""
    if since_s is not None and until_s is not None and until_s <= since_s:
        raise click.UsageError("--until has to be later than --since.")


def usage_fields(typed: tuple[str, ...]) -> tuple[UsageField, ...]:
    """Return what usage is grouped by, each once. Raises ``click.UsageError``."""
    names = [name.strip().lower() for value in typed for name in value.split(",") if name.strip()]
    known = {field.value: field for field in UsageField}
    for name in names:
        if name not in known:
            raise click.UsageError(f"--by has no '{name}': use {', '.join(known)}, or several of them.")
    fields = tuple(dict.fromkeys(known[name] for name in names))
    if UsageField.HOUR in fields and UsageField.DAY in fields:
        raise click.UsageError("--by takes either hour or day: hours have their days.")
    return fields


def matching_id(typed: str, ids: list[str]) -> str | None:
    """Return the only id that is, or begins or ends with, what was typed; None if there is none.

    Raises ``GglibError`` if there are several.
    """
    if typed in ids:
        return typed
    found = [
        each for each in dict.fromkeys(ids) if typed and (each.startswith(typed) or each.endswith(typed))
    ]
    if len(found) > 1:
        raise GglibError(f"'{typed}' is a part of several ids: {', '.join(found)}.")
    return found[0] if found else None
