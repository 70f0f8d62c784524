"""``gglib doctor``: checks this machine for problems."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.cli.context import Options

_NAME_COLUMN = 6
_MIN_NAME_WIDTH, _MAX_NAME_WIDTH = 10, 24
"""With the space that follows; a longer name, of a node, moves its own detail."""
MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


@click.command("doctor")
@click.option(
    "--report",
    is_flag=False,
    flag_value="-",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="[FILE]",
    help="Write a report for a bug report to FILE, or print it.",
)
@click.option("--names", is_flag=True, help="Keep the names of models in the report.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, *, report: Path | None, names: bool, as_json: bool) -> None:
    """Check this machine for problems.

    The exit code is 1 if a problem prevents gglib from serving. With --url, only the version and the models of the
    remote server are checked.

    --report adds versions, settings, the catalogue, the status of the server and the last lines of the log, without
    keys, names, paths and addresses. Read it before you send it.
    """
    if report is None and names:
        raise click.UsageError("--names is for a report: add --report.")
    if report is not None:
        _report(ctx.obj, report, with_names=names, as_json=as_json)
        return
    import asyncio

    from gglib.app.doctor import run_checks
    from gglib.app.doctor_checks import doctor_checks
    from gglib.cli.help.hints import runnable
    from gglib.cli.views import render
    from gglib.core.plain_text import escape_line

    options: Options = ctx.obj
    if options.remote is None:
        checked = asyncio.run(run_checks(doctor_checks(options.tolerant_settings(is_quiet=True))))
        results = [{"name": r.name, "verdict": r.verdict.value, "detail": r.detail} for r in checked]
    else:
        from gglib.cli.remote.commands import doctor

        results = doctor(options.remote)
    if as_json:
        render.show_json(results)
    else:
        longest = max(len(result["name"]) + 1 for result in results)
        width = min(max(longest, _MIN_NAME_WIDTH), _MAX_NAME_WIDTH)
        for result in results:
            mark, colour = MARKS[result["verdict"]]
            line = f"{mark}  {result['name']:<{width - 1}} {escape_line(runnable(result['detail']))}"
            shown = render.fit_terminal(line, sys.stdout, hanging=_NAME_COLUMN + width)
            click.echo(click.style(mark, fg=colour) + shown[len(mark) :])
    if any(result["verdict"] == "fail" for result in results):
        ctx.exit(1)


def _report(options: "Options", file: Path, *, with_names: bool, as_json: bool) -> None:
    """Write the report to the file, or print it (``-``)."""
    import asyncio

    from gglib.app.report.gathering import gather_report, write_report
    from gglib.app.report.sections import report_text
    from gglib.cli.views import render
    from gglib.core.plain_text import json_text

    if options.remote is not None:
        raise click.UsageError("--report is for this machine: omit --url.")
    settings = options.tolerant_settings(is_quiet=True)
    sections = asyncio.run(gather_report(settings, _status(options), with_names=with_names))
    if as_json:
        text = (
            json_text({section.title.lower(): list(section.lines) for section in sections}, indent=2) + "\n"
        )
    else:
        text = report_text(sections)
    if str(file) == "-":
        click.echo(text, nl=False)
        return
    write_report(file, text)
    render.echo(f"Wrote the report to {file}. Read it before you send it.")


def _status(options: "Options") -> object:
    """Return the status of the server of this home; None if there is none, or if it does not answer."""
    from contextlib import suppress

    from gglib.cli.server.instance import get_status, server_endpoint
    from gglib.core.errors import GglibError

    with suppress(GglibError):
        return get_status(server_endpoint(options, is_quiet=True))
    return None
