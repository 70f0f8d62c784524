"""Decides whether output has colours. Pure except for ``stream_has_colours``."""

import os
import re
from collections.abc import Mapping
from typing import TextIO

import click

from gglib.core.plain_text import escape_line

_BOLD, _DIM = "bold", "dim"
_MARK = re.compile(r"^(?:Error|Warning): ", re.MULTILINE)
_MARK_STYLES = {"Error: ": "bold red", "Warning: ": "bold yellow"}


def colour_choice(environ: Mapping[str, str]) -> bool | None:
    """Return whether the environment demands or forbids colours; None: a terminal has them, a pipe or a file does not.

    The order is that of Python's own tracebacks (https://docs.python.org/3/using/cmdline.html#controlling-color):
    ``NO_COLOR`` (https://no-color.org) with any value, ``FORCE_COLOR`` or ``CLICOLOR_FORCE`` with any value but 0, then
    ``CLICOLOR=0`` (https://bixense.com/clicolors) and ``TERM=dumb``.
    """
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    if environ.get("CLICOLOR") == "0" or environ.get("TERM") == "dumb":
        return False
    return None


def stream_has_colours(stream: TextIO) -> bool:
    """Whether text on this stream has colours."""
    choice = colour_choice(os.environ)
    return stream.isatty() if choice is None else choice


def styled(text: str, style: str) -> str:
    """Return a text in a style: a colour, ``bold``, ``dim``, or several of them; control characters are escaped.

    Pass the result to ``click.echo``, which removes the style where there are no colours.
    """
    text = escape_line(text)
    words = style.split()
    if not words or not text:
        return text
    colour = next((word for word in words if word not in {_BOLD, _DIM}), None)
    return click.style(text, fg=colour, bold=_BOLD in words or None, dim=_DIM in words or None)


def marked(text: str) -> str:
    """Return an escaped text of errors and warnings with a colour for the first ``Error:`` or ``Warning:``."""
    return _MARK.sub(lambda found: f"{styled(found[0][:-1], _MARK_STYLES[found[0]])} ", text, count=1)
