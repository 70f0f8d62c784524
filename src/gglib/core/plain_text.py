r"""Escapes control characters in untrusted text (of programs, models and files) for terminals and logs. Pure.

Escaped are:

- C0, DEL and C1 control characters: a terminal executes them (OSC 52 writes the clipboard, CSI moves the cursor, ``\r``
  overwrites the line), and C1 ones are one-character forms of the same sequences (ECMA-48, 5.3);
- bidirectional embeddings, overrides and isolates: they reorder the displayed text
  (https://www.unicode.org/reports/tr9/, CVE-2021-42574);
- U+2028 and U+2029: log readers treat them as line ends;
- lone surrogates: no encoding can represent them; ``os.fsdecode`` produces them for names that are not UTF-8.

Joiners, marks and variation selectors are kept: scripts and emoji need them. Each character is escaped independently,
so a sequence that arrives in chunks is escaped the same.
"""

import json
import re

CONTINUATION_INDENT = "    "
"""Prefix of a log record's continuation lines, so that no text in a record can imitate a record."""

_UNSAFE = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_LINE = re.compile(rf"[\t\n{_UNSAFE}]")
_IN_BLOCK = re.compile(f"[{_UNSAFE}]")


def escape_line(text: str) -> str:
    """Escape a text for one line; line breaks and tabs are escaped, too."""
    # A fast path in C for nearly every text: a printable text needs no escapes.
    return text if text.isprintable() else _IN_LINE.sub(_escaped, text)


def escape_block(text: str) -> str:
    r"""Escape a text of several lines; ``\n`` and ``\t`` are kept, and ``\r\n`` becomes ``\n``."""
    return text if text.isprintable() else _IN_BLOCK.sub(_escaped, text.replace("\r\n", "\n"))


def escape_record(text: str) -> str:
    """Escape a log record: like ``escape_block``, with continuation lines indented so that none looks like a record."""
    return text if text.isprintable() else escape_block(text).replace("\n", f"\n{CONTINUATION_INDENT}")


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return a value as readable JSON that is safe on a terminal; values that JSON lacks become strings."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=str)
    # JSON has these characters in strings only, where this is JSON's own escape.
    return text if text.isprintable() else _IN_BLOCK.sub(_json_escaped, text)


class StreamEscaper:
    """Escapes a text that arrives in chunks, with the same result as ``escape_block`` on the whole text."""

    def __init__(self) -> None:
        self._pending = ""

    def feed(self, piece: str) -> str:
        """Return the escaped text so far; a trailing carriage return is held back until the next character."""
        text = self._pending + piece
        self._pending = "\r" if text.endswith("\r") else ""
        return escape_block(text[:-1] if self._pending else text)

    def finish(self) -> str:
        """Return the text that was held back."""
        text, self._pending = self._pending, ""
        return escape_block(text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _json_escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
