"""``gglib reload``: applies changed settings and model options to the running server."""

import click

from gglib.cli.context import Options


@click.command("reload")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(options: Options, *, as_json: bool) -> None:
    """Apply changed settings and model options to the running server.

    Requests in progress continue. Prints what changed, and which settings need a restart.
    """
    from gglib.cli.server.client import post_json
    from gglib.cli.server.instance import server_endpoint
    from gglib.cli.views import reloaded, render

    result = post_json(server_endpoint(options), "/gglib/reload", None, "Reloaded")
    if as_json:
        render.show_json(result)
        return
    for warning in result["warnings"]:
        render.echo(f"Warning: {warning}", is_error=True)
    rows = reloaded.setting_rows(result)
    if rows:
        render.show_table(reloaded.COLUMNS, rows, wrapped=("OLD", "NEW"))
    else:
        click.echo(reloaded.NOTHING_CHANGED)
    for line in reloaded.model_lines(result):
        render.echo(line)
