"""Commands in messages, quoted so that they can be pasted into a shell. Pure."""

import shlex

from gglib.core.plain_text import escape_line


def shell_command(*words: str) -> str:
    """Return a gglib command whose last word is a name: shell-quoted, and ``--`` keeps it from being an option."""
    *first, name = words
    guard = ("--",) if name.startswith("-") else ()
    return escape_line(shlex.join(("gglib", *first, *guard, name)))


def quoted_command(*words: str) -> str:
    """Return a gglib command in quotes for use in a sentence."""
    return in_quotes(shell_command(*words))


def in_quotes(command: str) -> str:
    """Return a command in quotes that it does not contain itself."""
    return f'"{command}"' if "'" in command else f"'{command}'"
