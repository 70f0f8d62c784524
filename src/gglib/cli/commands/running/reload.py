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
    from gglib.core.errors import GglibError

    try:
        result = post_json(server_endpoint(options, is_quiet=True), "/gglib/reload", None, "Reloaded")
    except GglibError as error:
        options.mark_reported(str(error))  # the server's reason is that of the warning
        raise
    finally:
        if options.remote is None:
            options.tolerant_settings()
    if as_json:
        render.show_json(result)
        return
    for warning in result["warnings"]:
        render.warn(warning)
    rows = reloaded.setting_rows(result)
    if rows:
        render.show_table(reloaded.COLUMNS, rows, wrapped=("OLD", "NEW"))
    else:
        click.echo(reloaded.NOTHING_CHANGED)
    for line in reloaded.model_lines(result):
        render.echo(line)
