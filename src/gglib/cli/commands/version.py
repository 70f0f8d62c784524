"""``gglib version``: shows the version, as ``--version`` does."""

import click


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> None:
    """Show the version of gglib."""
    from gglib.cli.views import render
    from gglib.core.version import __version__

    if as_json:
        render.show_json({"version": __version__})
    else:
        click.echo(f"gglib {__version__}")
