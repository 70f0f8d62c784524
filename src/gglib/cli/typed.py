"""Commands of gglib that its words suggest, as they can be typed. Pure."""

import shlex

from gglib.core.file_names import escaped


def command(*words: str) -> str:
    """Return a command whose last word is a name: quoted for a shell, and never taken for an option."""
    *first, name = words
    guard = ("--",) if name.startswith("-") else ()
    return escaped(shlex.join(("gglib", *first, *guard, name)))


def said(*words: str) -> str:
    """Return a command inside of a sentence, between quotes that are not its own."""
    typed = command(*words)
    return f'"{typed}"' if "'" in typed else f"'{typed}'"
