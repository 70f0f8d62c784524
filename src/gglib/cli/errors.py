"""Maps exceptions to one sentence on stderr and an exit code."""

import errno
import io
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gglib.cli.help.hints import program, runnable
from gglib.cli.terminal.colours import colour_choice, marked
from gglib.cli.terminal.streams import OutputError
from gglib.core.errors import CatalogError, GglibError
from gglib.core.plain_text import escape_block, escape_line

if TYPE_CHECKING:
    from gglib.cli.context import Options

EXIT_INTERRUPTED = 130
"""The exit code of a program that SIGINT ended, as shells report it: 128 + SIGINT."""
CRASH_LOG_NAME = "last-crash.log"


@contextmanager
def error_boundary(ctx: click.Context) -> Iterator[None]:
    """Show an exception of the block as ``Error: sentence`` and exit: with code 1, or that of click's exceptions."""
    with exit_on_click_errors(), _as_click_errors(ctx):
        yield


@contextmanager
def exit_on_click_errors() -> Iterator[None]:
    """Show click's exceptions of the block, with ``Error:`` in red where stderr has colours, and exit."""
    try:
        yield
    except click.ClickException as error:
        from gglib.cli.views.render import fit_terminal  # commands without an error start without it

        shown = io.StringIO()
        error.show(shown)
        text = fit_terminal(shown.getvalue(), sys.stderr)
        click.echo(marked(text), err=True, nl=False, color=colour_choice(os.environ))
        raise click.exceptions.Exit(error.exit_code) from error


@contextmanager
def _as_click_errors(ctx: click.Context) -> Iterator[None]:
    """Map the exceptions of the block to click's."""
    try:
        yield
    except click.ClickException as error:
        # Final for type checkers only: the words change, not the meaning.
        error.message = runnable(error.message)  # type: ignore[misc]
        ctx.find_root().info_name = program()  # in the usage, and in the advice to try --help
        raise
    except (click.Abort, click.exceptions.Exit):
        raise
    except KeyboardInterrupt:
        click.echo(err=True)
        ctx.exit(EXIT_INTERRUPTED)
    except (BrokenPipeError, OutputError):
        raise  # click exits quietly on a closed pipe, main() reports OutputError
    except GglibError as error:
        _show_traceback(ctx)
        sentence = error.with_full_path() if isinstance(error, CatalogError) else str(error)
        raise click.ClickException(escape_block(runnable(sentence))) from error
    except OSError as error:
        _show_traceback(ctx)
        raise click.ClickException(escape_block(runnable(_os_error_message(ctx, error)))) from error
    except Exception as error:
        _show_traceback(ctx)
        raise click.ClickException(escape_line(runnable(_unexpected_error_message(ctx, error)))) from error


def _os_error_message(ctx: click.Context, error: OSError) -> str:
    """Return the system error, its file and advice; errors without advice are reported as internal errors."""
    advice = _ADVICE.get(error.errno or 0)
    if advice is None:
        return _unexpected_error_message(ctx, error)
    where = error.filename or _home_name(ctx)
    where = os.fsdecode(where) if isinstance(where, str | bytes) else f"{where}"
    return f"{where} cannot be used ({error.strerror}): {advice}."


def _home_name(ctx: click.Context) -> str:
    """Return the path of the home, or a phrase if unknown; used for errors without a file name."""
    options: Options | None = ctx.obj
    try:
        return "gglib's home" if options is None else str(options.tolerant_settings(is_quiet=True).home)
    except (GglibError, OSError):
        return "gglib's home"


_FREE_SPACE = "free disk space, or use another --home"
_FIX_PERMISSIONS = "make it readable and writable for this user, or use another --home"
_MOVE_AWAY = "move it away, or use another --home"
_ADVICE = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EACCES: _FIX_PERMISSIONS,
    errno.EPERM: _FIX_PERMISSIONS,
    errno.EROFS: _FIX_PERMISSIONS,
    errno.EIO: "check its disk",
    errno.ENOTDIR: _MOVE_AWAY,
    errno.EISDIR: _MOVE_AWAY,
    errno.EEXIST: _MOVE_AWAY,
    errno.EINVAL: _MOVE_AWAY,
    errno.ELOOP: _MOVE_AWAY,
    errno.ENXIO: _MOVE_AWAY,
    errno.ENAMETOOLONG: "use a shorter name or path",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs: the system limit on open files is reached",
}


def _show_traceback(ctx: click.Context) -> None:
    options: Options | None = ctx.obj
    if options is not None and options.is_debug:
        click.echo(traceback.format_exc(), err=True)


def _unexpected_error_message(ctx: click.Context, error: Exception) -> str:
    what = f"Internal error ({type(error).__name__}: {error})"
    options: Options | None = ctx.obj
    try:
        assert options is not None  # noqa: S101 - set by the root command; if not, the handler below suffices
        path = options.tolerant_settings(is_quiet=True).log_dir / CRASH_LOG_NAME
        _write_text(path, traceback.format_exc())
    except (AssertionError, GglibError, OSError):
        return f"{what}; run the command with 'gglib --debug' for the traceback."
    return f"{what}; {path} contains the traceback."


def _write_text(path: Path, text: str) -> None:
    """Write a text completely, or remove the file if that fails (a full disk). Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError:
        path.unlink(missing_ok=True)
        raise
