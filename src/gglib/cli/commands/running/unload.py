"""``gglib unload``: unloads one model."""

import click

from gglib.cli.context import Options


@click.command("unload")
@click.argument("model")
@click.option("--node", metavar="NODE", help="Unload it on this node. Default: where it is in memory.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(options: Options, model: str, node: str | None, *, as_json: bool) -> None:
    """Unload a model.

    Waits for its responses in flight, for up to 'drain_s' seconds. The next request loads it again.
    """
    from gglib.cli.server.instance import server_endpoint
    from gglib.cli.server.models import complete_for_request, stop_timeout_s, unload
    from gglib.cli.views import render
    from gglib.cli.views.running import unloaded_text

    server = server_endpoint(options)
    model = complete_for_request(server, model)
    stopped = unload(server, model, timeout_s=stop_timeout_s(options), node=node)
    if as_json:
        render.show_json(stopped)
    else:
        render.echo(unloaded_text(stopped, model))
