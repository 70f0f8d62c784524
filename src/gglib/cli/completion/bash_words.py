"""Splits a command line as bash does, and writes candidates as bash inserts them. Pure.

bash (readline) replaces only what follows the last character of ``COMP_WORDBREAKS`` in a word, and inserts candidates
as they are, without quoting (https://www.gnu.org/software/bash/manual/html_node/Programmable-Completion.html). So a
candidate loses what stands before the last ``:`` of ``model:profile``, and blanks in it get a backslash, unless the
user has opened a quote.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SPECIAL = re.compile(r"([^\w@%+=:,./\x80-\U0010ffff-])", re.ASCII)
_SPECIAL_IN_DOUBLE_QUOTES = re.compile(r'(["$`\\!])')
_BLANKS = " \t\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A command line up to the cursor."""

    words: tuple[str, ...]
    """The words without their quotes, the program first; the last one is being typed, and may be empty."""
    quote: str = ""
    """The quote that is open in the last word."""
    unquoted_breaks: int = 0
    """Length of the beginning of the last word up to its last unquoted word break."""


def split_line(line: str, word_breaks: str) -> CommandLine:
    """Split a line; its last word may be unfinished. ``word_breaks`` is ``COMP_WORDBREAKS``."""
    words: list[str] = []
    word, quote, is_word, kept = "", "", False, 0
    characters = iter(line)
    for character in characters:
        if quote:
            if character == quote:
                quote = ""
            elif character == "\\" and quote == '"':
                following = next(characters, "")
                word += following if following in '"\\$`' else character + following
            else:
                word += character
        elif character in _BLANKS:
            if is_word:
                words.append(word)
            word, is_word, kept = "", False, 0
            continue
        elif character in "\"'":
            quote = character
        elif character == "\\":
            word += next(characters, "")
        else:
            word += character
            if character in word_breaks:
                kept = len(word)
        is_word = True
    return CommandLine(words=(*words, word), quote=quote, unquoted_breaks=kept)


def replies(values: Sequence[str], line: CommandLine) -> list[str]:
    """Return the values of ``COMPREPLY`` for values of the last word."""
    typed = line.words[-1][: line.unquoted_breaks]
    rest = [value[len(typed) :] for value in values if value[: len(typed)].casefold() == typed.casefold()]
    return [_quoted(value, line.quote) for value in rest]


def _quoted(value: str, quote: str) -> str:
    match quote:
        case "'":
            return value.replace("'", "'\\''")
        case '"':
            return _SPECIAL_IN_DOUBLE_QUOTES.sub(r"\\\1", value)
    return _SPECIAL.sub(r"\\\1", value)
