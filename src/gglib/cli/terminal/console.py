"""Whether the user can be prompted, and rich's console with the colours of the other output."""

import sys
from typing import TYPE_CHECKING, Literal, TextIO

from gglib.cli.terminal.colours import stream_has_colours
from gglib.core.errors import GglibError

if TYPE_CHECKING:
    from rich.console import Console


def is_interactive() -> bool:
    """Whether the user can be prompted."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def require_interactive(undone: str, advice: str) -> None:
    """Raise ``GglibError`` if the user cannot be prompted: what was not done, and the command that does it."""
    if not is_interactive():
        raise GglibError(f"Nothing was {undone} in non-interactive mode: {advice}.")


def rich_console(stream: TextIO) -> "Console":
    """Return a console for stdout or stderr whose colours follow ``colours.stream_has_colours``.

    By itself rich would write the control sequences of progress bars into a pipe where ``FORCE_COLOR`` is set, and bold
    text where ``NO_COLOR`` is.
    """
    from rich.console import Console

    is_terminal = stream.isatty()
    colours: Literal["auto", "standard"] = "auto" if is_terminal else "standard"
    return Console(
        stderr=stream is sys.stderr,
        force_terminal=is_terminal,
        color_system=colours if stream_has_colours(stream) else None,
        highlight=False,
    )
