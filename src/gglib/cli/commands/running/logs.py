"""``gglib logs``: prints the log of gglib or of a model's engine, with control characters escaped."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from gglib.system.files.followed_file import FollowedFile

POLL_S = 0.2


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
    from gglib.system.files.followed_file import FollowedFile, read_tail

    path, owner = _log_path(options, model)
    if not path.exists() and not follow:
        render.echo(f"No log yet: {owner} has not run with this home.", is_error=True)
        return
    with ExitStack() as stack:
        wanted = max(0, lines)
        pieces: Iterable[str] = ()
        if follow:
            file = stack.enter_context(FollowedFile(path))
            shown, pieces = file.tail(wanted).lines, _new_text(file)
        else:
            shown = read_tail(path, wanted).lines
        if as_json:
            _print_json(shown, pieces)
            return
        for line in shown:
            render.show_verbatim(readable_line(line))
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


def _new_text(file: "FollowedFile") -> Iterator[str]:
    """Yield what is written to a file, without an end."""
    import codecs
    import time

    # A read may end inside a character.
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while True:
        for piece in file.read_new():
            yield decoder.decode(piece)
        time.sleep(POLL_S)


def _log_path(options: Options, model: str | None) -> tuple[Path, str]:
    from gglib.app.monitoring.log_files import LOG_NAME
    from gglib.cli.models.typed_names import require_typed_model
    from gglib.cli.sessions import with_catalog
    from gglib.runtime.local.engine_log import engine_log_path

    settings = options.tolerant_settings()
    if model is None:
        return settings.log_dir / LOG_NAME, "gglib"
    found = with_catalog(settings, lambda store: require_typed_model(store, model, settings.aliases))
    return engine_log_path(settings.log_dir, found.name), f"'{found.name}'"
