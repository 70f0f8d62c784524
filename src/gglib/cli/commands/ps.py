"""``gglib ps``: what runs now."""

from typing import Any

import click

from gglib.cli.context import Options


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
def command(options: Options, *, as_json: bool) -> None:
    """Show the models in memory, and who waits for one."""
    from gglib.cli import render
    from gglib.cli.instance import NOTHING_RUNS, find_instance, status_of

    instance = find_instance(options.settings())
    status: dict[str, Any] = {"residents": [], "waiting": [], "failed": []}
    if instance is not None and instance.url is not None:
        status = status_of(instance.url)
    if as_json:
        about = None if instance is None else {"pid": instance.pid, "url": instance.url}
        render.show_json({"server": about, **status})
    elif instance is None:
        click.echo(NOTHING_RUNS)
    else:
        click.echo(f"gglib at {instance.url or '(starting)'}, pid {instance.pid}")
        _show(status)


def _show(status: dict[str, Any]) -> None:
    from gglib.cli import render

    residents = status["residents"]
    if residents:
        render.show_table(
            ("MODEL", "STATE", "CONTEXT", "IN FLIGHT", "UPTIME", "PID"),
            [
                (
                    str(resident["model_name"]),
                    str(resident["state"]),
                    str(resident["effective_ctx"]),
                    str(resident["in_flight"]),
                    render.duration(resident["uptime_s"]),
                    render.text(resident["pid"]),
                )
                for resident in residents
            ],
        )
    else:
        click.echo("No model is in memory; the next request brings one in.")
    for waiting in status["waiting"]:
        click.echo(
            f"Waiting for {waiting['model_name']}: {waiting['waiting']}, "
            f"the longest for {render.duration(waiting['longest_wait_s'])}"
        )
    for failed in status["failed"]:
        click.echo(f"Failed to load {failed['model_name']}: {failed['reason']}")
