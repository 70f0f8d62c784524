"""Commands that a sentence suggests, as they can be typed. Pure."""

import shlex

from gglib.core.plain_text import escape_line


def shell_command(*words: str) -> str:
    """Return a command of gglib whose last word is a name: quoted for a shell, and never taken for an option."""
    *first, name = words
    guard = ("--",) if name.startswith("-") else ()
    return escape_line(shlex.join(("gglib", *first, *guard, name)))


def quoted_command(*words: str) -> str:
    """Return a command of gglib inside of a sentence, between quotes that are not its own."""
    return in_quotes(shell_command(*words))


def in_quotes(command: str) -> str:
    """Return any command inside of a sentence, between quotes that are not its own."""
    return f'"{command}"' if "'" in command else f"'{command}'"
