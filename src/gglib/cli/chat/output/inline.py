"""Emphasis, code and links inside a line of Markdown, while it arrives. Pure.

A span is held back from its opening marker until the closing one, which decides what it is; without a closing marker it
is written as it came. Markers inside words stay (``2*3*4``, ``snake_case``, ``2**8``), as do the backslashes of LaTeX:
here fidelity comes before CommonMark.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from gglib.cli.chat.output.styles import CODE, DIM, PLAIN, Span, Style, merged

MAX_HELD = 400
"""In characters: a longer text after a marker is no span."""
_SPECIAL = re.compile(r"[\\`*_~\[]")
_ESCAPABLE = "\\`*_~#|"
_EMPHASIS = {1: Style(italic=True), 2: Style(bold=True), 3: Style(bold=True, italic=True)}
_STRIKE = Style(strike=True)


class _Found(NamedTuple):
    """The spans at the start of a text, and the number of characters that they took."""

    spans: list[Span]
    length: int


class InlineScanner:
    """Yields the spans of one line; ``style`` is that of the whole line."""

    def __init__(self, style: Style = PLAIN) -> None:
        self._style = style
        self._held = ""
        self._before = " "
        """The last character that was written."""

    def feed(self, text: str) -> list[Span]:
        """Return what is decided of the text so far."""
        self._held += text
        return self._scan(is_complete=False)

    def finish(self) -> list[Span]:
        """Return the rest at the end of the line."""
        return self._scan(is_complete=True)

    def _scan(self, *, is_complete: bool) -> list[Span]:
        spans: list[Span] = []
        while self._held:
            special = _SPECIAL.search(self._held)
            plain = self._held if special is None else self._held[: special.start()]
            if plain:
                spans.append(Span(plain, self._style))
                self._advance(len(plain))
                continue
            found = _special(self._held, self._before, self._style, is_complete=is_complete)
            if found is None:
                if len(self._held) <= MAX_HELD:
                    break
                found = _literal(self._held, self._style)
            spans += found.spans
            self._advance(found.length)
        return spans

    def _advance(self, length: int) -> None:
        self._before = self._held[length - 1]
        self._held = self._held[length:]


def inline_spans(text: str, style: Style = PLAIN) -> list[Span]:
    """Return the spans of a complete line."""
    scanner = InlineScanner(style)
    return [*scanner.feed(text), *scanner.finish()]


def _special(text: str, before: str, style: Style, *, is_complete: bool) -> _Found | None:
    """Return what a text that begins with a special character begins with; None if that needs more text."""
    marker = text[0]
    if marker == "\\":
        return _escape(text, style, is_complete=is_complete)
    run = len(text) - len(text.lstrip(marker))
    if run == len(text) and not is_complete:
        return None
    if marker == "`":
        return _code(text, run, style, is_complete=is_complete)
    if marker == "[":
        return _link(text, style, is_complete=is_complete)
    return _emphasis(text, before, run, style, is_complete=is_complete)


def _literal(text: str, style: Style) -> _Found:
    """Return the run of the first character as it came."""
    length = len(text) - len(text.lstrip(text[0]))
    return _Found([Span(text[:length], style)], length)


def _escape(text: str, style: Style, *, is_complete: bool) -> _Found | None:
    if len(text) == 1:
        return _Found([Span(text, style)], 1) if is_complete else None
    if text[1] in _ESCAPABLE:
        return _Found([Span(text[1], style)], 2)
    return _Found([Span("\\", style)], 1)


def _code(text: str, run: int, style: Style, *, is_complete: bool) -> _Found | None:
    for closing in re.finditer("`+", text[run:]):
        end = run + closing.end()
        if len(closing[0]) == run and (end < len(text) or is_complete):
            content = text[run : run + closing.start()]
            if content.startswith(" ") and content.endswith(" ") and content.strip():
                content = content[1:-1]  # the spaces of `` `a` ``
            return _Found([Span(content, merged(style, CODE))], end)
    return _literal(text, style) if is_complete else None


def _link(text: str, style: Style, *, is_complete: bool) -> _Found | None:
    found = re.match(r"\[([^\[\]]*)\]\(<?([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)>?(?:\s+\"[^\"]*\")?\)", text)
    if found is not None:
        label, address = found[1], found[2]
        spans = inline_spans(label, merged(style, Style(underline=True)))
        if address and address != label:
            spans += [Span(f" ({address})", merged(style, DIM))]
        return _Found(spans, found.end())
    is_possible = re.match(r"\[[^\[\]]*(?:\](?:\(.*)?)?\Z", text) is not None
    return None if is_possible and not is_complete else _Found([Span("[", style)], 1)


def _emphasis(text: str, before: str, run: int, style: Style, *, is_complete: bool) -> _Found | None:
    marker = text[0]
    after = text[run : run + 1]
    inner = _STRIKE if marker == "~" else _EMPHASIS.get(run)
    is_inside_word = before.isascii() and (before.isalnum() or before == marker)
    if inner is None or (marker == "~" and run != 2) or is_inside_word or not after.strip():
        return _literal(text, style)
    end = _closing(text, marker, run, is_complete=is_complete)
    if end is None:
        return _literal(text, style) if is_complete else None
    return _Found(inline_spans(text[run:end], merged(style, inner)), end + run)


def _closing(text: str, marker: str, run: int, *, is_complete: bool) -> int | None:
    """Return where the closing run begins; None if there is none yet."""
    for start, length in _runs(text, marker, run):
        is_known = start + length < len(text) or is_complete
        is_closing = length == run or (length > run and length - run != run)
        after = text[start + length : start + length + 1]
        is_inside_word = marker == "_" and after.isalnum()
        if is_known and is_closing and not is_inside_word and not text[start - 1].isspace():
            return start + length - run
    return None


def _runs(text: str, marker: str, start: int) -> Iterator[tuple[int, int]]:
    """Yield position and length of the runs of a marker after ``start``, outside of code."""
    for found in re.finditer(rf"`[^`]*`|\\.|({re.escape(marker)}+)", text[start:]):
        if found[1]:
            yield start + found.start(), len(found[1])
