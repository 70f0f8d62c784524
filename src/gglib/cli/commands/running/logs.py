"""``gglib logs``: prints the log of gglib or of a model's engine, with control characters escaped."""

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import click

from gglib.cli.context import Options

POLL_S = 0.2
TAIL_BYTES = 1024 * 1024
"""Lines before this distance from the end are not shown."""


@click.command("logs")
@click.argument("model", required=False)
@click.option(
    "-n", "--lines", default=50, show_default=True, metavar="N", help="Number of lines from the end."
)
@click.option("-f", "--follow", is_flag=True, help="Print new lines as they are written, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.pass_obj
def command(options: Options, model: str | None, lines: int, *, follow: bool, as_json: bool) -> None:
    """Print the log of gglib, or of a model's engine.

    Lines of JSON (setting 'log_format') are printed as text.
    """
    from gglib.cli.views import render
    from gglib.core.log_lines import ReadableStream, readable_line
    from gglib.core.plain_text import StreamEscaper

    path, owner = _log_path(options, model)
    if not path.exists() and not follow:
        render.echo(f"No log yet: {owner} has not run with this home.", is_error=True)
        return
    size, inode = _size_and_inode(path)
    shown = tail(path, max(0, lines), size_bytes=size)
    pieces = follow_file(path, size, inode) if follow else ()
    if as_json:
        _print_json(shown, pieces)
        return
    for line in shown:
        render.echo(readable_line(line))
    escaper, stream = StreamEscaper(), ReadableStream()
    for piece in pieces:
        click.echo(escaper.feed(stream.feed(piece)), nl=False)


def _print_json(lines: list[str], pieces: Iterable[str]) -> None:
    from gglib.core.log_lines import LineSplitter, parsed_lines
    from gglib.core.plain_text import json_text

    splitter = LineSplitter()
    for batch in chain((lines,), map(splitter.feed, pieces)):
        for record in parsed_lines(batch):
            click.echo(json_text(record))


def tail(path: Path, lines: int, *, size_bytes: int | None = None) -> list[str]:
    """Return the last lines of a file, or of its first ``size_bytes``; empty if the file is missing.

    Lines end with a line feed only.
    """
    try:
        with _open(path) as file:
            end = os.fstat(file.fileno()).st_size if size_bytes is None else size_bytes
            start = max(0, end - TAIL_BYTES)
            file.seek(start)
            text = file.read(end - start).decode(errors="replace")
    except FileNotFoundError:
        return []
    found = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    return found[-lines:] if lines else []


def _size_and_inode(path: Path) -> tuple[int, int]:
    """Return the size and the inode of a file; zeros if it is missing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_ino


def follow_file(path: Path, position: int, inode: int) -> Iterator[str]:
    """Yield what is written to a file after ``position``; follows rotation, and waits for a missing file."""
    import codecs
    import time

    # A read may end inside a character.
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while True:
        if path.exists():
            with _open(path) as file:
                now = os.fstat(file.fileno())
                if now.st_ino != inode or now.st_size < position:
                    position, inode = 0, now.st_ino
                file.seek(position)
                content = file.read()
                position += len(content)
            if content:
                yield decoder.decode(content)
        time.sleep(POLL_S)


def _open(path: Path) -> BinaryIO:
    from gglib.system.files.small_files import open_regular

    return os.fdopen(open_regular(path, follows_links=True), "rb")


def _log_path(options: Options, model: str | None) -> tuple[Path, str]:
    from gglib.cli.models.typed_names import require_typed_model
    from gglib.cli.serving.log_files import LOG_NAME
    from gglib.cli.sessions import with_catalog
    from gglib.runtime.local.engine_log import engine_log_path

    settings = options.tolerant_settings()
    if model is None:
        return settings.log_dir / LOG_NAME, "gglib"
    found = with_catalog(settings, lambda store: require_typed_model(store, model, settings.aliases))
    return engine_log_path(settings.log_dir, found.name), f"'{found.name}'"
