"""``gglib usage``: adds up requests and tokens."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from datetime import datetime

    from gglib.cli.history.results import UsageReport
    from gglib.cli.history.sources import HistorySource
    from gglib.core.history.usage import UsageQuery


@click.command("usage")
@click.option(
    "--by",
    metavar="FIELD",
    multiple=True,
    help="day, hour, key, model or client, or several: key,model. Default: day.",
)
@click.option(
    "--since",
    metavar="TIME",
    help="Since 24h, 30d, today, 2026-11-28 or all. Default: 7 days; by hour, 24 hours.",
)
@click.option("--until", metavar="TIME", help="Until then, rounded down to the hour, as is --since.")
@click.option("--model", metavar="MODEL", help="Of this model only.")
@click.option("--key", metavar="NAME", help="With this access key; '-': without one.")
@click.option("--client", metavar="NAME", help="Of this client program.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, without totals.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - one for each option; click passes them by name
    options: Options,
    by: tuple[str, ...],
    since: str | None,
    until: str | None,
    model: str | None,
    key: str | None,
    client: str | None,
    *,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Add up requests and tokens: by day, of the last 7 days.

    FAILED are errors, and requests that were refused, also by a limit of a key. IN are the tokens of prompts, CACHED
    the share of them that the engine had in its cache, OUT the generated tokens, BUSY the time of all requests
    without their waits for a model.
    """
    from datetime import datetime

    from gglib.cli.history.filters import name_of, usage_fields
    from gglib.cli.history.model_names import complete_model
    from gglib.cli.history.periods import usage_period
    from gglib.cli.history.sources import FileHistory, history_source
    from gglib.cli.views import render, usage
    from gglib.cli.views.requests import IS_OFF
    from gglib.core.history.usage import UsageField, UsageQuery

    if as_csv and as_json:
        raise click.UsageError("Use either --csv or --json.")
    now = datetime.now().astimezone()
    fields = usage_fields(by) or (UsageField.DAY,)
    since_s, until_s = usage_period(since, until, is_hourly=UsageField.HOUR in fields, now=now)
    query = UsageQuery(
        by=fields,
        since_s=since_s,
        until_s=until_s,
        key=name_of(key),
        model=name_of(model and complete_model(options, model)[0]),
        client=name_of(client),
    )
    source = history_source(options)
    report = source.usage(query)
    if as_json:
        render.show_json(report)
    elif as_csv:
        click.echo(usage.usage_csv(report.usage, fields, now), nl=False)
    else:
        _show(report, query, source, now)
        if isinstance(source, FileHistory) and source.is_off:
            render.show_note(IS_OFF)


def _show(report: "UsageReport", query: "UsageQuery", source: "HistorySource", now: "datetime") -> None:
    import sys

    from gglib.cli.history.unknown_names import unknown_name_note
    from gglib.cli.views import render, usage

    note = usage.period_note(query.since_s, query.until_s, now)
    if not report.usage:
        unknown = unknown_name_note(source, key=query.key, model=query.model, client=query.client)
        is_filtered = any(name is not None for name in (query.key, query.model, query.client))
        found = "No request fits" if is_filtered else "There were no requests"
        advice = "" if query.since_s is None else "; '--since all' adds up everything"
        render.show_note(unknown or f"{note} {found}{advice}.")
        return
    width = render.terminal_width() if sys.stdout.isatty() else None
    has_bars = width is not None and render.can_encode(usage.FULL_BLOCK, sys.stdout)
    render.show_styled(usage.usage_lines(report.usage, report.total, query.by, now, width, has_bars=has_bars))
    render.show_note(note)
