"""Wraps a text at the width of a terminal while it arrives. Pure.

A word is held back until its end is known, so nothing that has been written is ever moved: the output is final, also
in the scrollback. Widths are counted in columns (``rich.cells``): wide characters have two, joined emoji and combining
marks are one character. Between CJK characters a line may break anywhere, except before closing punctuation (UAX #14).
"""

import unicodedata
from collections.abc import Iterator

from rich.cells import cell_len

from gglib.cli.chat.output.styles import PLAIN, Span, Style

MIN_WIDTH = 10
"""Narrower terminals are treated as this wide."""
TAB = "    "
_STICKY_CATEGORIES = frozenset(("Pe", "Pf", "Po", "Mn", "Me", "Mc", "Cf", "Sk", "Lm"))
"""Closing punctuation, marks, joiners and modifiers: no line begins with them."""


class Wrapper:
    """Inserts line breaks between words.

    ``width`` may be changed at any time (a resized terminal). ``indent`` begins each further line of a paragraph. A
    word that is longer than a line is not broken here: the terminal wraps it, so that a copied address stays whole.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.indent = Span("")
        self._column = 0
        self._is_line_start = True
        """Whether the line has nothing but its indent."""
        self._spaces = ""
        self._space_style = PLAIN
        self._word: list[Span] = []
        self._word_text = ""
        self._is_long = False
        """Whether the beginning of the current word has been written, because it is longer than a line."""

    def feed(self, text: str, style: Style = PLAIN) -> list[Span]:
        """Return what can be written of the text so far."""
        return joined(span for character in text for span in self._take(character, style))

    def finish(self) -> list[Span]:
        """Return the word that was held back."""
        return joined(self._place_word())

    def raw(self, text: str, style: Style = PLAIN) -> list[Span]:
        """Return a text that is not wrapped, after what was held back; only its last line counts."""
        written = [*self._place_word(), Span(self._spaces, self._space_style), Span(text, style)]
        last = text.rpartition("\n")[2]
        self._spaces = ""
        self._column = cell_len(last) + (0 if "\n" in text else self._column)
        self._is_line_start = not last and "\n" in text
        return joined(written)

    def _take(self, character: str, style: Style) -> Iterator[Span]:
        if character == "\n":
            yield from self._place_word()
            self._spaces = ""
            yield Span("\n")
            self._column, self._is_line_start = 0, True
        elif character in " \t":
            yield from self._place_word()
            self._spaces += TAB if character == "\t" else " "
            self._space_style = style
        else:
            if self._word_text and _may_break(self._word_text[-1], character):
                yield from self._place_word()
            yield from self._add(character, style)

    def _add(self, character: str, style: Style) -> Iterator[Span]:
        if self._is_long:
            yield Span(character, style)
            self._word_text = character
            self._column = (self._column + cell_len(character)) % max(self.width, MIN_WIDTH)
            return
        self._word.append(Span(character, style))
        self._word_text += character
        room = max(self.width, MIN_WIDTH) - cell_len(self.indent.text)
        if len(self._word_text) * 2 > room and cell_len(self._word_text) > room:
            yield from self._place_word()
            self._is_long = True

    def _place_word(self) -> Iterator[Span]:
        """Write the word on this line, or on the next one if it does not fit."""
        word, self._word = self._word, []
        length, self._word_text = cell_len(self._word_text), ""
        if self._is_long:
            self._is_long = False
            return
        if not word:
            return
        width = max(self.width, MIN_WIDTH)
        if self._is_line_start or self._column + len(self._spaces) + length <= width:
            yield Span(self._spaces, self._space_style)
            self._column += len(self._spaces) + length
        else:
            yield Span("\n")
            yield self.indent
            self._column = cell_len(self.indent.text) + length
        if self._column > width:  # the terminal wraps it
            self._column = (self._column - 1) % width + 1
        self._spaces, self._is_line_start = "", False
        yield from word


def joined(spans: Iterator[Span] | list[Span]) -> list[Span]:
    """Return the spans with neighbours of one style joined, without empty ones."""
    result: list[Span] = []
    for span in spans:
        if not span.text:
            continue
        if result and result[-1].style == span.style:
            result[-1] = Span(result[-1].text + span.text, span.style)
        else:
            result.append(span)
    return result


def _may_break(before: str, after: str) -> bool:
    """Whether a line may break between two characters without a space: beside an ideograph, kana or Hangul syllable."""
    if before.isascii() and after.isascii():
        return False
    if unicodedata.category(after) in _STICKY_CATEGORIES or unicodedata.category(before) in {
        "Ps",
        "Pi",
        "Cf",
    }:
        return False
    return _is_ideograph(before) or _is_ideograph(after)


def _is_ideograph(character: str) -> bool:
    # Korean separates its words by spaces; its syllables are wide, and browsers break between them, too.
    is_wide = unicodedata.east_asian_width(character) in {"W", "F"}
    return is_wide and unicodedata.category(character) in {"Lo", "Po", "Pe", "Nl"}
