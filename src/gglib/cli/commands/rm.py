"""``gglib rm``: the catalogue forgets a model, and the disk, too, where it is told to."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.cli.context import Options
    from gglib.core.models import ModelSummary
    from gglib.core.ports.store import HomeStorePort
    from gglib.library.remove import RemovalPlan


@click.command("rm")
@click.argument("model")
@click.option("--files", "with_files", is_flag=True, help="Delete its files, those that gglib downloaded.")
@click.option("-y", "--yes", is_flag=True, help="Delete without asking.")
@click.pass_obj
def command(options: "Options", model: str, *, with_files: bool, yes: bool) -> None:
    """Forget a model; its files stay where they are.

    '--files' deletes those that gglib downloaded and that no other model uses, and says how much that freed.
    """
    settings = options.settings()
    if with_files:
        _remove_with_files(settings, model, is_yes=yes)
        return
    from gglib.cli.runner import with_catalog
    from gglib.cli.views import local_models

    for line in local_models.forgotten(with_catalog(settings, lambda store: _forget(store, settings, model))):
        click.echo(line)


async def _forget(store: "HomeStorePort", settings: "Settings", name: str) -> "ModelSummary":
    from gglib.app.library import removals
    from gglib.core.names import not_found, require_model

    removed = await removals(settings, store).forget(await require_model(store, name))
    if removed is None:
        raise not_found(name, await store.list_models())
    return removed


def _remove_with_files(settings: "Settings", name: str, *, is_yes: bool) -> None:
    from gglib.app.library import removals
    from gglib.cli.runner import with_catalog
    from gglib.cli.terminal import is_interactive
    from gglib.cli.views import local_models
    from gglib.core.names import not_found, require_model

    async def decide(store: "HomeStorePort") -> "RemovalPlan":
        return await removals(settings, store).plan(await require_model(store, name))

    plan = with_catalog(settings, decide)
    if is_interactive() and not is_yes:
        _ask(plan)  # outside of the loop, which would take Ctrl-C for itself

    async def remove(store: "HomeStorePort") -> list[str]:
        import asyncio

        from gglib.cli.instance import states_of

        states = await asyncio.to_thread(states_of, settings)  # it blocks, with a loop of its own
        state = states.get(plan.model.id)
        removal = await removals(settings, store).remove(plan)
        if removal is None:
            raise not_found(name, await store.list_models())
        return [*local_models.removed(plan, removal, state), *local_models.spared(plan)]

    for line in with_catalog(settings, remove):
        click.echo(line)


def _ask(plan: "RemovalPlan") -> None:
    from gglib.cli.views import local_models
    from gglib.core.file_names import escaped

    for line in local_models.to_be_removed(plan):
        click.echo(line)
    click.confirm(f"Forget '{escaped(plan.model.name)}'?", abort=True)
