"""``gglib ps``: what runs now."""

from typing import Any

import click

from gglib.cli.context import Options

_NOTHING: dict[str, Any] = {
    "residents": [],
    "waiting": [],
    "failed": [],
    "last_swap": None,
    "swaps": [],
    "loads": [],
}


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
def command(options: Options, *, as_json: bool) -> None:
    """Show the models in memory, who waits for one, and the last swap."""
    from gglib.cli.instance import NOTHING_RUNS, find_instance, status_of
    from gglib.cli.views import render

    instance = find_instance(options.settings())
    status = _NOTHING
    if instance is not None and instance.endpoint is not None:
        status = status_of(instance.endpoint)
    if as_json:
        about = None if instance is None else {"pid": instance.pid, "url": instance.url}
        render.show_json({"server": about, **status})
    elif instance is None:
        click.echo(NOTHING_RUNS)
    else:
        render.say(f"gglib at {instance.url or '(starting)'}, pid {instance.pid}")
        _show(status)


def _show(status: dict[str, Any]) -> None:
    from gglib.cli.views import render, running

    if status["residents"]:
        render.show_table(*running.resident_table(status), folded=(running.MODEL,))
    else:
        click.echo("No model is in memory; the next request brings one in.")
    for line in running.sentences(status):
        render.show_line(line)
