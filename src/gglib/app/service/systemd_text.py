"""The quoting of systemd's unit files (systemd.syntax(7), and "Command lines" in systemd.service(5)). Pure."""

import re
from collections.abc import Sequence

from gglib.core.errors import InvalidSettingError

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,+@~[]")


def quoted(text: str) -> str:
    """Return a word as one word. Raises ``InvalidSettingError`` for a text with control characters."""
    if not text.isprintable():
        raise InvalidSettingError(
            f"{text!r} cannot be part of a unit of systemd: use a path without control characters."
        )
    escaped = text.replace("%", "%%")
    if text and set(text) <= _PLAIN:
        return escaped
    escaped = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquoted(text: str) -> str:
    """Return the word that ``quoted`` made this of."""
    if text.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return text.replace("%%", "%")


def command_line(words: Sequence[str]) -> str:
    """Return the value of ``ExecStart=``. Variables are not expanded in any word, nor in the program's path."""
    program, *arguments = words
    return " ".join((quoted(program), *(quoted(word).replace("$", "$$") for word in arguments)))


def section(name: str, lines: Sequence[tuple[str, str]]) -> str:
    """Return one section of a unit, of keys and values."""
    return "".join((f"[{name}]\n", *(f"{key}={value}\n" for key, value in lines)))
