"""``gglib doctor``: checks this machine for problems."""

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.cli.context import Options

_NAME_COLUMN = 6
_MIN_NAME_WIDTH, _MAX_NAME_WIDTH = 10, 24
"""With the space that follows; a longer name, of a node, moves its own detail."""
MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Check this machine for problems.

    The exit code is 1 if a problem prevents gglib from serving. With --url, only the version and the models of the
    remote server are checked.
    """
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
