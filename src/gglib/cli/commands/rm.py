"""``gglib rm``: the catalogue forgets a model."""

import click

from gglib.cli.context import Options


@click.command("rm")
@click.argument("model")
@click.pass_obj
def command(options: Options, model: str) -> None:
    """Forget a model; its file stays where it is."""
    from gglib.cli.runner import with_catalog
    from gglib.core.models import ModelSummary
    from gglib.core.names import not_found
    from gglib.core.ports import ModelStorePort

    async def remove(store: ModelStorePort) -> ModelSummary:
        removed = await store.remove_model(model)
        if removed is None:
            raise not_found(model, await store.list_models())
        return removed

    removed = with_catalog(options.settings(), remove)
    files = ", ".join(str(path) for path in removed.paths)
    click.echo(f"Forgot '{removed.name}'. Its file stays: {files}")
