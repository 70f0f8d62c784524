"""``gglib backup``: backs catalogue, settings and request history up to a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.app.backup.writing import HomeBackup
    from gglib.cli.context import Options

PARTS = click.Choice(("catalog", "settings", "history"))


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--only", type=PARTS, multiple=True, metavar="PART", help="Back up only catalog, settings or history."
)
@click.option("--no-history", is_flag=True, help="Leave the request history out.")
@click.option("--force", is_flag=True, help="Overwrite FILE even if it is not a gglib backup.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(  # noqa: PLR0913 - one parameter for each option
    ctx: click.Context, *, file: Path, only: tuple[str, ...], no_history: bool, force: bool, as_json: bool
) -> None:
    """Back up catalogue, settings and request history to FILE.

    Works while gglib runs, too. FILE is a zip archive, readable by you alone: it contains access keys. The model files
    are not in it. An older backup is replaced. 'gglib restore FILE' restores it. With --only catalog, FILE is the
    catalogue itself, an SQLite file.
    """
    from gglib.app.backup.manifest import Part
    from gglib.app.backup.writing import back_up_home
    from gglib.cli.serving.log_files import escape_warnings
    from gglib.cli.views import backups, render

    if no_history and "history" in only:
        raise click.UsageError("--no-history contradicts --only history: omit one of them.")
    options: Options = ctx.obj
    wanted = [
        part
        for part in Part
        if part.value in (only or tuple(Part)) and not (no_history and part is Part.HISTORY)
    ]
    escape_warnings()
    backup = back_up_home(options.tolerant_settings(), file, wanted, is_forced=force)
    if as_json:
        render.show_json(_as_json(backup))
    else:
        for line in backups.written_lines(backup):
            render.echo(line)


def _as_json(backup: "HomeBackup") -> dict[str, object]:
    return {
        "path": str(backup.path),
        "size_bytes": backup.size_bytes,
        "parts": [part.value for part in backup.parts],
        "models": list(backup.models or ()),
        "requests": None if backup.history is None else backup.history.requests,
        "recorded_bodies": None if backup.history is None else backup.history.bodies,
    }
