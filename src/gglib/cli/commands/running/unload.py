"""``gglib unload``: unloads one model."""

import click

from gglib.cli.context import Options


@click.command("unload")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(options: Options, model: str, *, as_json: bool) -> None:
    """Unload a model.

    Waits for its responses in flight, for up to 'drain_s' seconds. The next request loads it again.
    """
    from gglib.cli.server.instance import server_endpoint
    from gglib.cli.server.models import complete_for_request, stop_timeout_s, unload
    from gglib.cli.views import render

    server = server_endpoint(options)
    model = complete_for_request(server, model)
    names = unload(server, model, timeout_s=stop_timeout_s(options))
    if as_json:
        render.show_json({"stopped": names})
    else:
        render.echo(f"Unloaded {', '.join(names)}." if names else f"'{model}' was not loaded.")
