"""``gglib rm``: removes a model from the catalogue, and with ``--files`` also its files."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.cli.context import Options
    from gglib.core.addresses import Endpoint
    from gglib.library.remove import RemovalPlan


@click.command("rm")
@click.argument("model")
@click.option("--files", "with_files", is_flag=True, help="Also delete the files that gglib downloaded.")
@click.option("-y", "--yes", is_flag=True, help="Delete without a prompt.")
@click.pass_obj
def command(options: "Options", model: str, *, with_files: bool, yes: bool) -> None:
    """Remove a model from the catalogue; its files stay.

    '--files' also deletes the files that gglib downloaded and no other model uses, and prints the space freed.
    """
    from gglib.app.library import removals
    from gglib.cli.runner import catalog_session
    from gglib.cli.server.instance import model_states
    from gglib.cli.terminal import is_interactive
    from gglib.cli.views import local_models

    if options.remote is not None:
        _remove_remote(options.remote, model, with_files=with_files, yes=yes)
        return
    settings = options.settings()
    with catalog_session(settings) as catalog:
        if with_files and is_interactive() and not yes:
            plan = catalog.run(lambda store: removals(settings, store).plan(model))
            _confirm_removal(plan)
            # By id: the name may refer to another model by now.
            model = str(plan.model.id)
        states = model_states(settings) if with_files else {}
        removed = catalog.run(
            lambda store: removals(settings, store).remove_model(model, with_files=with_files)
        )
    state = states.get(removed.model.id)
    for line in (
        local_models.removal_lines(removed, state)
        if with_files
        else local_models.forgotten_lines(removed.model)
    ):
        click.echo(line)


def _confirm_removal(plan: "RemovalPlan") -> None:
    from gglib.cli.views import local_models
    from gglib.core.file_names import escaped

    for line in local_models.removal_plan_lines(plan):
        click.echo(line)
    click.confirm(f"Remove '{escaped(plan.model.name)}'?", abort=True)


def _remove_remote(server: "Endpoint", name: str, *, with_files: bool, yes: bool) -> None:
    from gglib.cli.remote import commands, decode
    from gglib.cli.terminal import is_interactive
    from gglib.cli.views import local_models, render
    from gglib.core.file_names import escaped

    model = decode.model_of(commands.show_model(server, name))
    if with_files and is_interactive() and not yes:
        question = f"Remove '{escaped(model.name)}' and its files from {server.url}?"
        click.confirm(question, abort=True)
    # By id: the name may refer to another model by now.
    removed = commands.remove_model(server, str(model.id), with_files=with_files)
    if not with_files:
        lines = list(local_models.forgotten_lines(model))[:1]  # the next step is a command on the server
    else:
        lines = [f"Removed '{escaped(model.name)}'; {render.size(removed['freed_bytes'])} of disk are freed."]
        lines += [f"{escaped(kept['path'])} is kept: {kept['reason']}." for kept in removed["kept"]]
    for line in lines:
        render.echo(line)
