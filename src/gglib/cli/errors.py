"""The border where errors become one sentence on stderr and an exit code."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gglib.core.errors import GglibError

if TYPE_CHECKING:
    from gglib.cli.context import Options

EXIT_INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C ended: 128 + SIGINT."""
CRASH_NAME = "last-crash.log"


@contextmanager
def shown_errors(ctx: click.Context) -> Iterator[None]:
    """Turn what the block raises into what click shows: ``Error: sentence``, exit code 1."""
    try:
        yield
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except KeyboardInterrupt:
        click.echo(err=True)
        ctx.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        raise  # click ends quietly: whoever read has enough
    except GglibError as error:
        _show_traceback(ctx)
        raise click.ClickException(str(error)) from error
    except Exception as error:
        _show_traceback(ctx)
        raise click.ClickException(_unexpected(ctx, error)) from error


def _show_traceback(ctx: click.Context) -> None:
    options: Options | None = ctx.obj
    if options is not None and options.is_debug:
        click.echo(traceback.format_exc(), err=True)


def _unexpected(ctx: click.Context, error: Exception) -> str:
    what = f"gglib met something that it does not expect ({type(error).__name__}: {error})"
    options: Options | None = ctx.obj
    try:
        assert options is not None  # noqa: S101 - the root command sets it; if not, the handler below says enough
        path = options.settings().log_dir / CRASH_NAME
        _write(path, traceback.format_exc())
    except (AssertionError, GglibError, OSError):
        return f"{what}; run it again with 'gglib --debug' to see where."
    return f"{what}; {path} says where, and so does 'gglib --debug'."


def _write(path: Path, text: str) -> None:
    """Write all of a text, or, where that fails (the disk is full), leave no part of it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError:
        path.unlink(missing_ok=True)
        raise
