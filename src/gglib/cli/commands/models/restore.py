"""``gglib restore``: restores a backup."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gglib.cli.commands.models.backup import PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gglib.cli.context import Options
    from gglib.core.models import ModelSummary
    from gglib.core.ports.catalog import ModelStorePort


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--only", type=PARTS, multiple=True, metavar="PART", help="Restore only catalog, settings or history."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, *, file: Path, only: tuple[str, ...], as_json: bool) -> None:
    """Restore catalogue, settings and request history from FILE.

    Catalogue and settings are restored even while gglib runs, the history only while it does not. What is replaced is
    kept next to it. Model files are not changed; models with missing files are listed with the command that restores
    them.
    """
    from gglib.app.backup.manifest import Part
    from gglib.app.backup.restoring import restore_home
    from gglib.app.serving.instance import running_instance
    from gglib.app.settings import prepare_home
    from gglib.cli.serving.log_files import escape_warnings
    from gglib.cli.sessions import with_catalog
    from gglib.cli.views import backups, local_models, render

    options: Options = ctx.obj
    settings = options.tolerant_settings()
    escape_warnings()
    prepare_home(settings)
    restored = restore_home(settings, file, [Part(name) for name in only])

    async def list_models(store: "ModelStorePort") -> "list[ModelSummary]":
        return await store.list_models()

    models = with_catalog(settings, list_models) if Part.CATALOG in restored.parts else []
    missing = [(model, gone) for model in models if (gone := _missing_files(model))]
    if as_json:
        before = {part.value: str(path) for part, path in restored.before.items()}
        render.show_json(
            {
                "parts": [part.value for part in restored.parts],
                "models": [model.name for model in models],
                "before": before.get("catalog"),
                "settings_before": before.get("settings"),
                "history_before": before.get("history"),
                "missing": [
                    {"model": model.name, "files": [str(path) for path in gone]} for model, gone in missing
                ],
            }
        )
        return
    is_running = running_instance(settings.run_dir) is not None
    count = len(models) if Part.CATALOG in restored.parts else None
    for line in backups.restored_lines(file, restored, count, is_running=is_running):
        render.echo(line)
    for model, gone in missing:
        names = ", ".join(path.name for path in gone)
        hint = local_models.recovery_hint(model, is_missing=True)
        render.show_line(f"{model.name}: {names} is missing: {hint}")


def _missing_files(model: "ModelSummary") -> "Sequence[Path]":
    """Return the missing files of the model."""
    import os

    return [path for path in model.all_files if not os.path.exists(path)]  # noqa: PTH110 - no error for inaccessible files
