"""``gglib logs``: what gglib, or the engine of a model, wrote."""

from collections.abc import Iterator
from pathlib import Path

import click

from gglib.cli.context import Options

POLL_S = 0.2
TAIL_BYTES = 1024 * 1024
"""Lines further back than this are for an editor."""


@click.command("logs")
@click.argument("model", required=False)
@click.option("-n", "--lines", default=50, show_default=True, metavar="N", help="Lines from the end.")
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are written, until Ctrl-C.")
@click.pass_obj
def command(options: Options, model: str | None, lines: int, *, follow: bool) -> None:
    """Show the log of gglib, or of a model's engine."""
    path, whose = _path(options, model)
    if not path.exists() and not follow:
        click.echo(f"No log yet: {whose} has not run on this home.", err=True)
        return
    for line in tail(path, max(0, lines)):
        click.echo(line)
    if follow:
        for piece in follow_file(path):
            click.echo(piece, nl=False)


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a file; none when it is missing."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:] if lines else []


def follow_file(path: Path) -> Iterator[str]:
    """Yield what is written to a file from now on, also when it is rotated or does not exist yet."""
    import os
    import time

    position, inode = (path.stat().st_size, path.stat().st_ino) if path.exists() else (0, 0)
    while True:
        if path.exists():
            with path.open("rb") as file:
                now = os.fstat(file.fileno())
                if now.st_ino != inode or now.st_size < position:
                    position, inode = 0, now.st_ino
                file.seek(position)
                content = file.read()
                position += len(content)
            if content:
                yield content.decode(errors="replace")
        time.sleep(POLL_S)


def _path(options: Options, model: str | None) -> tuple[Path, str]:
    from gglib.cli.log_files import LOG_NAME
    from gglib.cli.runner import with_catalog
    from gglib.core.names import require_model
    from gglib.runtime.logs import engine_log_path

    settings = options.settings()
    if model is None:
        return settings.log_dir / LOG_NAME, "gglib"
    found = with_catalog(settings, lambda store: require_model(store, model))
    return engine_log_path(settings.log_dir, found.name), f"'{found.name}'"
