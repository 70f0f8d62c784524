"""Messages of a server in the foreground to its user, which are in the log, too."""

import logging
import sys
from collections.abc import Callable
from functools import partial

import click

from gglib.cli.help.hints import runnable
from gglib.cli.serving.log_files import ON_CONSOLE
from gglib.cli.terminal.streams import ignore_output_errors
from gglib.cli.views import render
from gglib.core.log_lines import TEXT
from gglib.core.plain_text import escape_line

Announce = Callable[[str], None]
_logger = logging.getLogger("gglib")


def printing_announcer(*, is_result: bool = False) -> Announce:
    """Return a function that prints a sentence to stderr, or as a result to stdout, and logs it to the file.

    A failed write does not stop the server.
    """
    return partial(_print_and_log, is_error=not is_result)


def server_announcer(log_format: str) -> Announce:
    """Return a function that shows a sentence on stderr, where a server has its log, and logs it to the file.

    To a user at a terminal it is printed as it is; otherwise it is a line of the log, with its time.
    """
    return printing_announcer() if log_format == TEXT and sys.stderr.isatty() else _log


def result_announcer(log_format: str) -> Announce:
    """Return a function that prints a sentence to stdout and logs it to the file.

    With JSON as ``log_format`` it is a line of the log on stderr instead, so that the whole output can be parsed.
    """
    return printing_announcer(is_result=True) if log_format == TEXT else _log


def _log(text: str) -> None:
    _logger.info("%s", text)
    with ignore_output_errors():  # what logging could not write would end the process with exit code 120
        sys.stderr.flush()


def _print_and_log(text: str, *, is_error: bool) -> None:
    with ignore_output_errors():  # the same Ctrl-C may have ended the reader (``gglib serve 2>&1 | tee``)
        shown = render.fit_terminal(escape_line(runnable(text)), sys.stderr if is_error else sys.stdout)
        click.echo(shown, err=is_error)
    _logger.info("%s", text, extra={ON_CONSOLE: True})
