"""``gglib load``: loads a model before its first request."""

import click

from gglib.cli.context import Options


@click.command("load")
@click.argument("model")
@click.option("--ctx", metavar="N", type=click.IntRange(min=1), help="Context size in tokens to request.")
@click.option(
    "--node", metavar="NODE", help="Load it on this node. Default: this machine, if it has the model."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(options: Options, model: str, ctx: int | None, node: str | None, *, as_json: bool) -> None:
    """Load a model, and wait until it is ready.

    Other models are unloaded for it as for a request. 'gglib pin' keeps it in memory.
    """
    from gglib.cli.server.instance import server_endpoint
    from gglib.cli.server.models import complete_for_request, find_name, load
    from gglib.cli.server.wait_line import wait_line
    from gglib.cli.views import render
    from gglib.cli.views.running import loaded_text

    server = server_endpoint(options)
    model = complete_for_request(server, model)
    where = None if node is None else f"Loading '{model}' on {node} ..."
    with wait_line(server, find_name(server, model), initial_text=where):
        loaded = load(server, model, num_ctx=ctx, node=node)
    if as_json:
        render.show_json(loaded)
    else:
        render.echo(loaded_text(loaded))
