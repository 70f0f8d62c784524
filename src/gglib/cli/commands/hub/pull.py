"""``gglib pull``: downloads a model and adds it to the catalogue."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.core.addresses import Endpoint


@click.command("pull")
@click.argument("target", metavar="[TARGET]", required=False)
@click.option("--name", help="Name of the model. Default: the file's name.")
@click.option("--alias", "aliases", multiple=True, help="Alias of the model; may be repeated.")
@click.option(
    "--mmproj/--no-mmproj",
    "wants_projector",
    default=None,
    help="Download the projector (mmproj) for image input, or skip it. Default: download.",
)
@click.option("-y", "--yes", is_flag=True, help="Take the recommended quantization without a prompt.")
@click.option("--to", "node", metavar="NODE", help="Download it to a node instead of this machine.")
@click.option("--discard", is_flag=True, help="Discard an unfinished pull and its partial files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON events, one object per line.")
@click.pass_obj
def command(  # noqa: PLR0913 - click passes each option
    options: Options,
    target: str | None,
    *,
    name: str | None,
    aliases: tuple[str, ...],
    wants_projector: bool | None,
    yes: bool,
    node: str | None,
    discard: bool,
    as_json: bool,
) -> None:
    """Download a model and add it to the catalogue.

    TARGET is REPO[:QUANT][@REVISION], REPO/FILE.gguf or the URL of a GGUF file. After an interruption the same command
    resumes the download. Without TARGET: lists unfinished pulls, and offers first models.

    With --to, the gglib of another machine downloads the model ('gglib node list'); --yes is implied, and Ctrl-C leaves
    the download running there.

    In non-interactive mode nothing is prompted: the command lists the choices and exits.
    """
    from gglib.cli.pull import prompts, reporters, run, unfinished

    has_more = bool(name or aliases or wants_projector is not None or discard)
    if options.remote is not None:
        if target is None or has_more or node is not None:
            raise click.UsageError(
                "On a remote server, pull takes only TARGET, --yes and --json: run it there for the others."
            )
        _pull_remote(options.remote, target, as_json=as_json)
        return
    settings = options.settings()
    if node is not None:
        if target is None or has_more:
            raise click.UsageError(
                "With --to, pull takes only TARGET, --yes and --json: run it on that machine for the others."
            )
        _pull_to_node(settings, node, target, as_json=as_json)
        return
    if discard:
        if target is None:
            raise click.UsageError("--discard requires TARGET: 'gglib pull' lists the unfinished pulls.")
        unfinished.discard(settings, target)
        return
    if target is None:
        has_unfinished = unfinished.show_unfinished(settings, as_json=as_json)
        if not as_json:
            _offer_first_models(settings, has_unfinished=has_unfinished)
        return
    run.pull_model(
        settings,
        target,
        name=name,
        aliases=aliases,
        prompts=prompts.PullPrompts(
            assume_yes=yes, wants_projector=wants_projector, is_non_interactive=as_json
        ),
        reporter=reporters.JsonReporter() if as_json else reporters.TextReporter(),
    )


def _offer_first_models(settings: "Settings", *, has_unfinished: bool) -> None:
    """Ask for one of the first models, and fetch it; in non-interactive mode list them: exit code 2."""
    from gglib.cli.models import first_model
    from gglib.cli.terminal.console import is_interactive
    from gglib.cli.views import render

    if is_interactive():
        choice = first_model.choose(settings, "First models to download:")
        if choice.is_none:
            render.echo("'gglib search QUERY' finds other models, 'gglib pull REPO' downloads one.")
        elif choice.offer is None:
            first_model.fetch_starter(settings)
        else:
            first_model.fetch(settings, choice.offer)
    elif not has_unfinished:
        first_model.show(settings)
        raise click.UsageError("Name what to pull: one of these, or what 'gglib search QUERY' finds.")


def _pull_to_node(settings: "Settings", node: str, target: str, *, as_json: bool) -> None:
    from gglib.cli.nodes.endpoint import node_endpoint

    _pull_remote(node_endpoint(settings, node), target, as_json=as_json)


def _pull_remote(server: "Endpoint", target: str, *, as_json: bool) -> None:
    from gglib.cli.pull import reporters
    from gglib.cli.remote import commands, decode
    from gglib.cli.views import render
    from gglib.core.errors import GglibError

    reporter = reporters.JsonReporter() if as_json else reporters.TextReporter()
    try:
        model = commands.pull(server, target, reporter)
    except GglibError as error:
        reporter.failed(error)
        raise
    if as_json:
        reporters.emit("done", model=model)
    else:
        pulled = decode.model_of(model)
        render.echo(f"Pulled '{pulled.name}' (id {pulled.id}, {render.size(pulled.size_bytes)}).")
