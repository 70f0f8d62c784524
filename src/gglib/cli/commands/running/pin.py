"""``gglib pin``: keeps a model in memory."""

import click

from gglib.cli.context import Options


@click.command("pin")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(options: Options, model: str, *, as_json: bool) -> None:
    """Keep a model in memory once it is loaded.

    Takes effect at once and after restarts; 'gglib load' loads it now, 'preload' at each start.
    """
    from gglib.cli.models.pins import set_pin
    from gglib.cli.views import render

    changed = set_pin(options, model, is_pinned=True)
    if as_json:
        render.show_json(changed)
    else:
        effect = "it stays in memory once it is loaded, and models that do not fit beside it are refused"
        render.echo(f"Pinned '{changed['name']}': {effect}.")
