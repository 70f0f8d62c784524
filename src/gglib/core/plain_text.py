r"""Text of other programs, models and files as a terminal and a log may have it: control characters are escaped. Pure.

What is escaped, and why:

- C0, DEL and C1 control characters: a terminal executes them (OSC 52 writes the clipboard, CSI moves the cursor, ``\r``
  overwrites the line), and C1 ones are one-character forms of the same sequences (ECMA-48, 5.3);
- bidirectional embeddings, overrides and isolates: they show text in another order than it has
  (https://www.unicode.org/reports/tr9/, CVE-2021-42574);
- U+2028 and U+2029: readers of a log take them for the end of a line;
- surrogates without their partner: no encoding has them; ``os.fsdecode`` makes them of names that are not UTF-8.

Joiners, marks and variation selectors stay: scripts and emoji need them. Each character is escaped by itself, so a
sequence that arrives in pieces is escaped as a whole one is.
"""

import json
import re

CONTINUATION_INDENT = "    "
"""In front of the further lines of a log record: only gglib begins a line at its margin."""

_UNSAFE = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_LINE = re.compile(rf"[\t\n{_UNSAFE}]")
_IN_BLOCK = re.compile(f"[{_UNSAFE}]")


def escape_line(text: str) -> str:
    """Return a text that is shown in one line; line breaks and tabs are escaped, too."""
    # One look in C decides for nearly every text: what is printable has nothing to escape.
    return text if text.isprintable() else _IN_LINE.sub(_escaped, text)


def escape_block(text: str) -> str:
    r"""Return a text that may have several lines; ``\n`` and ``\t`` stay, and ``\r\n`` is a line break."""
    return text if text.isprintable() else _IN_BLOCK.sub(_escaped, text.replace("\r\n", "\n"))


def escape_record(text: str) -> str:
    """Return a log record: as ``escape_block``, each further line indented, so that none passes for a record."""
    return text if text.isprintable() else escape_block(text).replace("\n", f"\n{CONTINUATION_INDENT}")


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return a value as JSON that is readable and that a terminal shows as it is; what JSON lacks becomes a string."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=str)
    # Outside of strings JSON has none of these, and inside of them this is its own escape.
    return text if text.isprintable() else _IN_BLOCK.sub(_json_escaped, text)


class StreamEscaper:
    """Escapes a text that arrives in pieces; the same as ``escape_block`` of all of it."""

    def __init__(self) -> None:
        self._pending = ""

    def feed(self, piece: str) -> str:
        """Return what can be shown now; a carriage return waits for the character after it."""
        text = self._pending + piece
        self._pending = "\r" if text.endswith("\r") else ""
        return escape_block(text[:-1] if self._pending else text)

    def finish(self) -> str:
        """Return what still waits."""
        text, self._pending = self._pending, ""
        return escape_block(text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _json_escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
