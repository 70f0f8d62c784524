"""``gglib load``: loads a model before its first request."""

import click

from gglib.cli.context import Options


@click.command("load")
@click.argument("model")
@click.option("--ctx", metavar="N", type=click.IntRange(min=1), help="Context size in tokens to request.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(options: Options, model: str, ctx: int | None, *, as_json: bool) -> None:
    """Load a model, and wait until it is ready.

    Other models are unloaded for it as for a request. 'gglib pin' keeps it in memory.
    """
    from gglib.cli.server.instance import server_endpoint
    from gglib.cli.server.models import complete_for_request, find_name, load
    from gglib.cli.server.wait_line import wait_line
    from gglib.cli.views import render

    server = server_endpoint(options)
    model = complete_for_request(server, model)
    with wait_line(server, find_name(server, model)):
        loaded = load(server, model, num_ctx=ctx)
    if as_json:
        render.show_json(loaded)
    else:
        render.echo(f"Loaded '{loaded['model_name']}' with a context of {loaded['effective_ctx']} tokens.")
