"""Formats Markdown for a terminal while it arrives. Pure.

What is written is final: nothing is drawn twice, so nothing flickers, and the scrollback has the formatted text. Only
what is not decided is held back: the marker at the start of a line, a word, a span until its closing marker, a line of
code, a table. Text that turns out not to be Markdown is written as it came.
"""

import re
from abc import ABC, abstractmethod
from typing import NamedTuple

from gglib.cli.chat.output.inline import InlineScanner
from gglib.cli.chat.output.styles import CODE, DIM, HEADING, PLAIN, TITLE, Span, Style
from gglib.cli.chat.output.tables import table_spans
from gglib.cli.chat.output.wrap import Wrapper, joined

RULE_WIDTH = 40
"""Columns of a horizontal rule, at most."""
_UNDECIDED = re.compile(r"\s*(?:#{1,6}|[-*_+ ]+|\d{1,9}[.)]?|`{1,2}|~{1,2}|>[> \t]*|)")
"""Starts of lines that may become a marker."""
_WHOLE_LINE = re.compile(r"\s*(?:```|~~~|\|)")
"""Starts of lines that are read as a whole: fences and rows of tables."""
_FENCE = re.compile(r"(\s*)(`{3,}|~{3,})([^`]*)")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+")
_ITEM = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])([ \t]+)(?:\[([ xX])\][ \t]+)?")
_QUOTE = re.compile(r" {0,3}((?:>[ \t]?)+)")


class LineStart(NamedTuple):
    """The marker of a line: what is written in its place, and how the rest is shown."""

    length: int
    """In characters of the line."""
    shown: Span = Span("")
    indent: Span = Span("")
    """Of further lines of the paragraph."""
    style: Style = PLAIN


def read_line_start(text: str, *, is_complete: bool) -> LineStart | None:
    """Return the marker at the start of a line; None if more of the line is needed."""
    if not is_complete and _UNDECIDED.fullmatch(text):
        return None
    heading = _HEADING.match(text)
    if heading is not None:
        return LineStart(heading.end(), style=TITLE if len(heading[1]) == 1 else HEADING)
    item = _ITEM.match(text)
    if item is not None:
        if (not is_complete and item.end() == len(text)) or re.fullmatch(r"\[[ xX]?\]?", text[item.end() :]):
            return None if not is_complete else LineStart(item.end(), *_shown_item(item))
        return LineStart(item.end(), *_shown_item(item))
    quote = _QUOTE.match(text)
    if quote is not None:
        bars = Span("│ " * quote[1].count(">"), DIM)
        return LineStart(quote.end(), bars, bars)
    return LineStart(0)


def _shown_item(item: re.Match[str]) -> tuple[Span, Span]:
    """Return the bullet or the number of a list item, and the indent below it."""
    box = "" if item[4] is None else "☐ " if item[4] == " " else "☑ "
    bullet = item[2] if item[2][0].isdigit() else "•"
    shown = f"{item[1]}{bullet} {box}".replace("\t", "    ")
    return Span(shown), Span(" " * len(shown))


class TextStream(ABC):
    """Formats a text that arrives in parts, line by line. ``width`` may be changed at any time."""

    def __init__(self, width: int) -> None:
        self._wrapper = Wrapper(width)

    @property
    def width(self) -> int:
        """The columns of the terminal."""
        return self._wrapper.width

    @width.setter
    def width(self, width: int) -> None:
        self._wrapper.width = width

    def feed(self, text: str) -> list[Span]:
        """Return what can be written of the text so far."""
        spans: list[Span] = []
        for part in re.findall(r"[^\n]+|\n", text):
            spans += self._end_line() if part == "\n" else self._add(part)
        return joined(spans)

    @abstractmethod
    def finish(self) -> list[Span]:
        """Return the rest; the last line has no end."""

    @abstractmethod
    def _add(self, part: str) -> list[Span]:
        """Return what can be written after a part of a line."""

    @abstractmethod
    def _end_line(self) -> list[Span]:
        """Return what can be written at the end of a line."""


class MarkdownStream(TextStream):
    """Formats Markdown."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self._line = ""
        """The start of a line that is not decided yet."""
        self._inline: InlineScanner | None = None
        """Of the rest of a line whose start is decided."""
        self._fence = ""
        """The marker that ends the code block; empty outside of one."""
        self._is_in_code_line = False
        """Whether the start of a line of code has been written."""
        self._table: list[str] = []

    def finish(self) -> list[Span]:
        """Return the rest; the last line has no end."""
        is_row = bool(self._line) and self._line.lstrip().startswith("|") and not self._fence
        spans = self._line_spans(is_last=True) if self._line or self._inline is not None else []
        table = joined(self._table_spans())
        if is_row:  # its line has no end
            table[-1] = Span(table[-1].text.removesuffix("\n"), table[-1].style)
        return joined([*spans, *table, *self._wrapper.finish()])

    def _add(self, part: str) -> list[Span]:
        if self._inline is not None:
            return self._wrapped(self._inline.feed(part))
        self._line += part
        if self._fence:
            return self._add_code()
        if _WHOLE_LINE.match(self._line):
            return []
        start = read_line_start(self._line, is_complete=False)
        return [] if start is None else self._begin(start)

    def _add_code(self) -> list[Span]:
        """Write code at once, unless its line may be the end of the block."""
        start = self._line.lstrip()
        if not self._is_in_code_line and (not start or start[0] == self._fence[0]):
            return []
        self._is_in_code_line = True
        text, self._line = self._line, ""
        return self._wrapper.raw(text, CODE)

    def _begin(self, start: LineStart) -> list[Span]:
        """Write the marker of a line and what is decided of its rest."""
        rest, self._line = self._line[start.length :], ""
        self._wrapper.indent = start.indent
        self._inline = InlineScanner(start.style)
        shown = self._wrapper.raw(*start.shown) if start.shown.text else []
        return [*self._table_spans(), *shown, *self._wrapped(self._inline.feed(rest))]

    def _end_line(self) -> list[Span]:
        spans = self._line_spans(is_last=False)
        self._inline, self._is_in_code_line = None, False
        return spans

    def _line_spans(self, *, is_last: bool) -> list[Span]:
        """Return the rest of the current line, and its end unless it is the last one."""
        end = "" if is_last else "\n"
        if self._inline is not None:
            return [*self._wrapped(self._inline.finish()), *self._wrapper.feed(end)]
        line, self._line = self._line, ""
        if self._fence:
            return self._code_line(line, end)
        if _WHOLE_LINE.match(line) and line.lstrip().startswith("|"):
            self._table.append(line)
            return []
        before = self._table_spans()
        fence = _FENCE.fullmatch(line)
        if fence is not None:
            self._fence = fence[2]
            return [*before, *self._wrapper.raw(line + end, DIM)]
        if _RULE.fullmatch(line):
            return [*before, *self._wrapper.raw("─" * min(self.width, RULE_WIDTH) + end, DIM)]
        self._line = line
        start = read_line_start(line, is_complete=True) or LineStart(0)
        return [*before, *self._begin(start), *self._inline_end(end)]

    def _inline_end(self, end: str) -> list[Span]:
        assert self._inline is not None  # noqa: S101 - the line has begun
        return [*self._wrapped(self._inline.finish()), *self._wrapper.feed(end)]

    def _code_line(self, line: str, end: str) -> list[Span]:
        """Return a line of code, which is not wrapped, so that it can be copied."""
        marker = line.strip()
        if marker.startswith(self._fence) and not marker.strip(self._fence[0]):
            self._fence = ""
            return self._wrapper.raw(line + end, DIM)
        return self._wrapper.raw(line + end, CODE)

    def _table_spans(self) -> list[Span]:
        """Return the table that has ended, or its lines if they are none."""
        lines, self._table = self._table, []
        if not lines:
            return []
        drawn = table_spans(lines, self.width)
        if drawn is not None:
            return drawn
        self._wrapper.indent = Span("")
        scanners = [(InlineScanner(), line) for line in lines]
        return [
            span
            for scanner, line in scanners
            for span in (*self._wrapped([*scanner.feed(line), *scanner.finish()]), *self._wrapper.feed("\n"))
        ]

    def _wrapped(self, spans: list[Span]) -> list[Span]:
        return [part for span in spans for part in self._wrapper.feed(span.text, span.style)]


class PlainStream(TextStream):
    """Wraps a text as it is, except in fenced code, which can be copied."""

    def __init__(self, width: int, style: Style = PLAIN) -> None:
        super().__init__(width)
        self._style = style
        self._line = ""
        """The start of a line that may be a fence."""
        self._is_decided = False
        """Whether the current line is known to be none."""
        self._is_code = False

    def finish(self) -> list[Span]:
        """Return the rest."""
        line, self._line = self._line, ""
        return joined([*self._written(line), *self._wrapper.finish()])

    def _add(self, part: str) -> list[Span]:
        self._line += part
        start = self._line.lstrip()
        if not self._is_decided and (not start or "```".startswith(start) or start.startswith("```")):
            return []
        self._is_decided = True
        line, self._line = self._line, ""
        return self._written(line)

    def _end_line(self) -> list[Span]:
        line, self._line = self._line, ""
        is_fence = not self._is_decided and line.lstrip().startswith("```")
        self._is_decided = False
        if is_fence:
            self._is_code = not self._is_code
            return self._wrapper.raw(f"{line}\n", self._style)
        return self._written(f"{line}\n")

    def _written(self, text: str) -> list[Span]:
        write = self._wrapper.raw if self._is_code else self._wrapper.feed
        return write(text, self._style) if text else []
