"""Shell-quotes the commands in messages, so that they can be pasted. Pure."""

import shlex

from gglib.core.plain_text import escape_line


def shell_command(*words: str) -> str:
    """Return a shell-quoted gglib command that ends with a name; ``--`` precedes a name that looks like an option."""
    *first, name = words
    guard = ("--",) if name.startswith("-") else ()
    return escape_line(shlex.join(("gglib", *first, *guard, name)))


def quoted_command(*words: str) -> str:
    """Return a gglib command in quotes for use in a sentence."""
    return in_quotes(shell_command(*words))


def in_quotes(command: str) -> str:
    """Return a command in single quotes, or in double quotes if it contains single quotes."""
    return f'"{command}"' if "'" in command else f"'{command}'"
