"""``gglib pull``: a model of the hub becomes one of the catalogue."""

import click

from gglib.cli.context import Options


@click.command("pull")
@click.argument("target", metavar="[TARGET]", required=False)
@click.option("--name", help="What to call it. Default: the file's name.")
@click.option("--alias", "aliases", multiple=True, help="Another name for it; may be given more than once.")
@click.option(
    "--mmproj/--no-mmproj",
    "wants_projector",
    default=None,
    help="Fetch the projector (mmproj) with which a model sees images, or do not. Default: prompts.",
)
@click.option("-y", "--yes", is_flag=True, help="Take what gglib chooses without asking.")
@click.option("--discard", is_flag=True, help="Give up an unfinished pull and delete what came of it.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print events for programs, a JSON object on each line."
)
@click.pass_obj
def command(  # noqa: PLR0913 - click passes each option
    options: Options,
    target: str | None,
    *,
    name: str | None,
    aliases: tuple[str, ...],
    wants_projector: bool | None,
    yes: bool,
    discard: bool,
    as_json: bool,
) -> None:
    """Fetch a model and add it to the catalogue.

    TARGET is REPO[:QUANT][@REVISION], REPO/FILE.gguf or the address of a GGUF file. Interrupted in whatever way, the
    same command goes on where it ended. Without TARGET: lists the pulls that did not end.
    """
    from gglib.cli.views import pull

    settings = options.settings()
    if discard:
        if target is None:
            raise click.UsageError("Name the pull to give up: 'gglib pull' lists those that did not end.")
        pull.discard(settings, target)
        return
    if target is None:
        pull.show_unfinished(settings, as_json=as_json)
        return
    reporter = pull.JsonReporter() if as_json else pull.TextReporter()
    prompts = pull.PullPrompts(assume_yes=yes, wants_projector=wants_projector, is_non_interactive=as_json)
    pull.run(settings, target, name=name, aliases=aliases, prompts=prompts, reporter=reporter)
