"""``gglib unpin``: undoes a pin."""

import click

from gglib.cli.context import Options


@click.command("unpin")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(options: Options, model: str, *, as_json: bool) -> None:
    """Let a pinned model be unloaded for other models again."""
    from gglib.cli.models.pins import set_pin
    from gglib.cli.views import render

    changed = set_pin(options, model, is_pinned=False)
    if as_json:
        render.show_json(changed)
    else:
        render.echo(f"Unpinned '{changed['name']}'.")
