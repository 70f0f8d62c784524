"""``gglib ps``: shows the models in memory and the queue."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from gglib.core.addresses import Endpoint


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", "is_watching", is_flag=True, help="Print changes until Ctrl-C.")
@click.pass_obj
def command(options: Options, *, as_json: bool, is_watching: bool) -> None:
    """Show loaded models, queued requests and the last swap."""
    from gglib.cli.server.instance import (
        NOT_RUNNING,
        find_instance,
        get_status,
        server_endpoint,
    )
    from gglib.cli.server.nodes import get_nodes
    from gglib.cli.views import render, running

    if is_watching:
        from gglib.cli.server.watch import watch

        endpoint = server_endpoint(options)
        watch(endpoint, f"gglib at {endpoint.url}", as_json=as_json)
        return
    if options.remote is not None:
        _show_remote(options.remote, as_json=as_json)
        return
    instance = find_instance(options.tolerant_settings())
    status = running.EMPTY_STATUS
    if instance is not None and instance.endpoint is not None:
        status = {**get_status(instance.endpoint), "nodes": get_nodes(instance.endpoint)["nodes"]}
    if as_json:
        about = None if instance is None else {"pid": instance.pid, "url": instance.url}
        render.show_json({"server": about, **status})
    elif instance is None:
        render.echo(NOT_RUNNING)
    else:
        render.echo(f"gglib at {instance.url or '(starting)'}, pid {instance.pid}")
        _show(status)
        _show_gpus(status)


def _show_remote(server: "Endpoint", *, as_json: bool) -> None:
    from gglib.cli.server.instance import get_status
    from gglib.cli.server.nodes import get_nodes
    from gglib.cli.views import render

    status = {**get_status(server), "nodes": get_nodes(server)["nodes"]}
    if as_json:
        render.show_json({"server": {"pid": None, "url": server.url}, **status})
        return
    render.echo(f"gglib at {server.url}")
    _show(status)


def _show_gpus(status: Mapping[str, Any]) -> None:
    from gglib.app.memory.gpu_use import resident_gpu_text
    from gglib.cli.views import render
    from gglib.system.present_gpus import read_present_gpus

    sizes = {resident["model_name"]: resident.get("size") or {} for resident in status["residents"]}
    if (text := resident_gpu_text(read_present_gpus(), sizes)) is not None:
        render.show_line(f"GPU: {text}")


def _show(status: Mapping[str, Any]) -> None:
    from gglib.cli.views import render, running

    columns, rows = running.resident_table(status)
    if rows:
        render.show_table(
            columns,
            rows,
            droppable=running.DROPPABLE_COLUMNS,
            styles={running.STATE: render.STATE_STYLES},
        )
    else:
        render.echo(running.NO_MODELS)
    for line in running.status_lines(status):
        render.show_line(line, running.line_style(line))
