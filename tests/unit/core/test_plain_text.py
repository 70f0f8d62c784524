"""Escaping of foreign text for terminals and logs."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gglib.core.plain_text import StreamEscaper, escape_block, escape_line, escape_record, json_text

UNSAFE = (
    *map(chr, (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0))),
    *map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029, 0xD800, 0xDC80, 0xDFFF)),
)
"""Every character that no terminal and no log may get; of the surrogates three."""
HARMLESS = "हिन्दी, Mélodie, 日本語, فارسی\u200cها, 👩\u200d💻 ❤\ufe0f, a\u00a0b, a\u00adb, \u200fעברית"  # noqa: RUF001 - letters of other scripts


@pytest.mark.parametrize("character", UNSAFE, ids=ascii)
def test_each_control_character_is_escaped(character: str) -> None:
    """It becomes its Python escape, at any position."""
    written = character.encode("unicode_escape").decode()
    assert escape_line(f"{character}a{character}") == f"{written}a{written}"
    assert escape_block(f"{character}a{character}") == f"{written}a{written}"


@pytest.mark.parametrize(
    ("text", "line", "block"),
    [
        ("\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07"),
        ("\x9b31mred", r"\x9b31mred", r"\x9b31mred"),
        ("ok\rINFO forged", r"ok\rINFO forged", r"ok\rINFO forged"),
        ("a\r\nb\tc\n", r"a\r\nb\tc\n", "a\nb\tc\n"),
        ("a\u2028b\x85c", r"a\u2028b\x85c", r"a\u2028b\x85c"),
        ("\u202egpj.exe\u2069", r"\u202egpj.exe\u2069", r"\u202egpj.exe\u2069"),
        (HARMLESS, HARMLESS, HARMLESS),
    ],
)
def test_line_breaks(text: str, line: str, block: str) -> None:
    """In one line breaks are escaped; in a block they stay, and ``CR LF`` is one of them."""
    assert escape_line(text) == line
    assert escape_block(text) == block


def test_further_lines_of_a_record_are_indented() -> None:
    """A message with line breaks cannot forge a record."""
    assert escape_record("a\n2026-01-01 INFO forged\r\nb") == "a\n    2026-01-01 INFO forged\n    b"
    assert escape_record("plain") == "plain"


@settings(deadline=None)
@given(st.text(), st.lists(st.integers(min_value=0, max_value=40)))
def test_pieces_are_escaped_like_the_whole(text: str, cuts: list[int]) -> None:
    """At any split, no control character passes and nothing changes."""
    escaper = StreamEscaper()
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[first:last] for first, last in itertools.pairwise(edges)]
    assert "".join([*map(escaper.feed, pieces), escaper.finish()]) == escape_block(text)


def test_carriage_return_at_the_end_is_not_lost() -> None:
    """It is held for the next piece, and escaped if there is none."""
    escaper = StreamEscaper()
    assert [escaper.feed("a\r"), escaper.feed("\nb\r"), escaper.feed("c\r"), escaper.finish()] == [
        "a",
        "\nb",
        r"\rc",
        r"\r",
    ]


@settings(deadline=None)
@given(
    st.recursive(st.text() | st.integers() | st.none(), lambda v: st.lists(v) | st.dictionaries(st.text(), v))
)
def test_json_keeps_its_value_and_is_safe(value: object) -> None:
    """A program reads the same value; a terminal gets no control character."""
    text = json_text(value)
    assert json.loads(text) == value
    assert escape_block(text) == text


def test_json_keeps_letters_and_escapes_controls() -> None:
    """Letters of all scripts are readable; a name of bytes that are not UTF-8 is JSON's escape of a surrogate."""
    assert json_text({"a": "हि\x9b\x7f\u202e\udcff"}) == '{"a": "हि\\u009b\\u007f\\u202e\\udcff"}'
