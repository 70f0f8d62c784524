"""``gglib help``: shows the help page of a command, as ``--help`` does."""

import click


@click.command("help")
@click.argument("words", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help page of gglib, or of a command."""
    page = ctx.find_root()
    for word in words:
        group = page.command
        if not isinstance(group, click.Group):
            raise click.UsageError(f"'{page.command_path}' has no commands of its own.", page)
        name, found, _ = group.resolve_command(page, [word])
        if found is None:
            raise click.UsageError(f"'{word}' is no command.", page)
        page = click.Context(found, info_name=name, parent=page)
    click.echo(page.get_help())
