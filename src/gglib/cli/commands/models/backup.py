"""``gglib backup``: backs the catalogue up to a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.cli.context import Options
    from gglib.db.backup import Backup


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE even if it is not a gglib backup.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, *, file: Path, force: bool, as_json: bool) -> None:
    """Back up the catalogue to FILE, even while gglib runs.

    FILE contains the names, aliases, tags, settings and sources of all models, not the model files. An older backup is
    replaced. 'gglib restore FILE' restores it.
    """
    from gglib.cli.serving.log_files import escape_warnings
    from gglib.cli.views import render
    from gglib.db.backup import back_up

    options: Options = ctx.obj
    escape_warnings()
    backup = back_up(options.settings().database, file, is_forced=force)
    if as_json:
        render.show_json(_as_json(backup))
    else:
        count = len(backup.models)
        models = "1 model" if count == 1 else f"{count} models"
        render.echo(
            f"Wrote the catalogue with {models} to {backup.path} ({render.size(backup.size_bytes)}). "
            "The models' files are not in it."
        )


def _as_json(backup: "Backup") -> dict[str, object]:
    return {"path": str(backup.path), "size_bytes": backup.size_bytes, "models": list(backup.models)}
