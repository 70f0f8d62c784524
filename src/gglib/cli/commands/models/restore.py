"""``gglib restore``: restores the catalogue from a backup."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gglib.cli.context import Options
    from gglib.core.models import ModelSummary
    from gglib.core.ports.catalog import ModelStorePort


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, *, file: Path, as_json: bool) -> None:
    """Restore the catalogue from the backup FILE, even while gglib runs.

    The previous catalogue is kept next to it and can be restored the same way. Model files are not changed; models with
    missing files are listed with the command that restores them.
    """
    from gglib.app.settings import prepare_home
    from gglib.cli.serving.log_files import escape_warnings
    from gglib.cli.sessions import with_catalog
    from gglib.cli.views import local_models, render
    from gglib.db.backup import restore

    options: Options = ctx.obj
    settings = options.settings()
    escape_warnings()
    prepare_home(settings)
    restored = restore(settings.database, file)

    async def list_models(store: "ModelStorePort") -> "list[ModelSummary]":
        return await store.list_models()

    models = with_catalog(settings, list_models)
    missing = [(model, gone) for model in models if (gone := _missing_files(model))]
    if as_json:
        render.show_json(
            {
                "models": [model.name for model in models],
                "before": None if restored.before is None else str(restored.before),
                "missing": [
                    {"model": model.name, "files": [str(path) for path in gone]} for model, gone in missing
                ],
            }
        )
        return
    count = len(models)
    render.echo(f"Restored the catalogue from {file}, with {'1 model' if count == 1 else f'{count} models'}.")
    if restored.before is not None:
        render.echo(f"The previous catalogue is kept as {restored.before}.")
    for model, gone in missing:
        names = ", ".join(path.name for path in gone)
        render.show_line(f"{model.name}: {names} is missing: {local_models.recovery_hint(model)}")


def _missing_files(model: "ModelSummary") -> "Sequence[Path]":
    """Return the missing files of the model."""
    import os

    return [path for path in model.all_files if not os.path.exists(path)]  # noqa: PTH110 - no error for inaccessible files
