"""Markdown while it arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.cli.chat.output.inline import MAX_HELD
from gglib.cli.chat.output.markdown import MarkdownStream, PlainStream
from gglib.cli.chat.output.styles import CODE, DIM, HEADING, PLAIN, TITLE, Span, Style, plain_text
from gglib.cli.chat.output.wrap import joined

BOLD = Style(bold=True)
PIECES = (
    *(
        "a",
        "b c",
        " ",
        "\n",
        "\n\n",
        "*",
        "**",
        "_",
        "`",
        "```",
        "```py\n",
        "# ",
        "- ",
        "1. ",
        "> ",
        "|",
        "|-|",
        "\n|",
    ),
    *("~~", "[", "](", ")", "\\", "---", "日本", "é", "  ", "- [x] "),
)
SOURCE = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def spans_of(text: str, *, width: int = 40, step: int = 1, plain: bool = False) -> list[Span]:
    """Return the spans of a text that was fed in parts of ``step`` characters."""
    stream = PlainStream(width) if plain else MarkdownStream(width)
    spans = [span for at in range(0, len(text), step) for span in stream.feed(text[at : at + step])]
    return joined([*spans, *stream.finish()])


def shown(text: str, *, width: int = 40) -> str:
    """Return the text without its styles."""
    return plain_text(spans_of(text, width=width))


def test_a_marker_without_an_end_holds_little_back() -> None:
    """A long text after a marker is written, though its line goes on."""
    stream = MarkdownStream(10_000)
    text = "*x" + " word" * MAX_HELD
    written = plain_text(stream.feed(text))
    assert len(written) > len(text) - 10
    assert written.startswith("*x word")


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("# T\n", [Span("T", TITLE), Span("\n")]),
        ("### A *b*", [Span("A ", HEADING), Span("b", Style(bold=True, italic=True))]),
        ("#hashtag", [Span("#hashtag")]),
        ("- a\n* b\n+ c", [Span("• a\n• b\n• c")]),
        ("- [ ] a\n- [x] b", [Span("• ☐ a\n• ☑ b")]),
        ("1. a\n10) b", [Span("1. a\n10) b")]),
        ("-5 and 1.5", [Span("-5 and 1.5")]),
        ("> a\n> > b", [Span("│ ", DIM), Span("a\n"), Span("│ │ ", DIM), Span("b")]),
        ("---\n", [Span("─" * 40 + "\n", DIM)]),
        ("**b**: x", [Span("b", BOLD), Span(": x")]),
        (
            "```py\na  *b*\n\n```\nc",
            [Span("```py\n", DIM), Span("a  *b*\n\n", CODE), Span("```\n", DIM), Span("c")],
        ),
        ("~~~\n```\n~~~", [Span("~~~\n", DIM), Span("```\n", CODE), Span("~~~", DIM)]),
        ("```\nopen", [Span("```\n", DIM), Span("open", CODE)]),
        ("a\n\nb", [Span("a\n\nb")]),
    ],
)
@pytest.mark.parametrize("step", [1, 4, 100])
def test_lines_have_markers(text: str, spans: list[Span], step: int) -> None:
    """Headings, lists, quotes, rules and code are formatted, in whatever parts they come."""
    assert spans_of(text, step=step) == spans


def test_a_list_item_is_wrapped_below_its_text() -> None:
    """Further lines of an item are indented; those of a quote have its bar."""
    assert shown("- one two three four", width=12) == "• one two\n  three four"
    assert shown("10. one two three", width=12) == "10. one two\n    three"
    assert shown("> one two three", width=12) == "│ one two\n│ three"
    assert shown("  - one two three", width=12) == "  • one two\n    three"


def test_code_is_not_wrapped() -> None:
    """A long line of code can be copied from the terminal."""
    line = "x = [" + ", ".join(map(str, range(40))) + "]"
    assert line in shown(f"```\n{line}\n```", width=20)
    assert line in plain_text(spans_of(f"```\n{line}\n```", width=20, plain=True))


def test_a_table_is_drawn_in_columns() -> None:
    """Cells are padded, and wrapped in a narrow terminal; the text before and after stays where it was."""
    table = "Before\n| N | Text |\n|---|:-:|\n| 1 | `a|b` **c** |\n| 2 |\nafter"
    assert shown(table).split("\n") == ["Before", "N  Text", "─  ─────", "1  a|b c", "2  ", "after"]
    narrow = shown("| Word | Meaning |\n|-|-|\n| a | one two three four five six |", width=24)
    assert narrow.split("\n")[2:4] == ["a     one two three four", "      five six"]


def test_rows_without_a_heading_are_text() -> None:
    """Lines with bars that are no table are written as they came."""
    assert shown("| a | b |\nc") == "| a | b |\nc"
    assert shown("|x| = 3") == "|x| = 3"


def test_text_is_written_before_its_line_ends() -> None:
    """Words appear as they come; only the last one is held back."""
    stream = MarkdownStream(40)
    assert plain_text(stream.feed("Some words and")) == "Some words"
    assert plain_text(stream.feed(" **bold")) == " and"
    assert plain_text(stream.feed("** more")) == " bold"


def test_code_is_written_before_its_line_ends() -> None:
    """A long line appears as it comes; only what may be the end of the block is held back."""
    stream = MarkdownStream(40)
    assert plain_text(stream.feed("```\nx = [1, ")) == "```\nx = [1, "
    assert plain_text(stream.feed("``` 2]")) == "``` 2]"
    assert plain_text(stream.feed("\n``")) == "\n"
    assert plain_text([*stream.feed("`\nend"), *stream.finish()]) == "```\nend"


@given(SOURCE, st.integers(10, 50), st.integers(1, 9))
def test_the_parts_in_which_a_text_comes_do_not_matter(text: str, width: int, step: int) -> None:
    """The result is that of the whole text, with Markdown and without."""
    assert spans_of(text, width=width, step=step) == spans_of(text, width=width, step=10_000)
    plain = spans_of(text, width=width, step=step, plain=True)
    assert plain == spans_of(text, width=width, step=10_000, plain=True)
    assert "".join(plain_text(plain).split()) == "".join(text.split())


@given(SOURCE)
def test_no_letter_is_lost(text: str) -> None:
    """Formatting may remove markers, never letters."""
    letters = [character for character in text if character.isalnum()]
    kept = [character for character in shown(text) if character.isalnum()]
    # The x of a checked box becomes a sign.
    assert [c for c in kept if c != "x"] == [c for c in letters if c != "x"]


@given(st.text())
def test_any_text_is_formatted(text: str) -> None:
    """No text raises."""
    assert spans_of(text) is not None


@pytest.mark.parametrize("stream", [MarkdownStream(40), PlainStream(40)])
def test_a_resized_terminal_takes_effect(stream: MarkdownStream | PlainStream) -> None:
    """The width may change between two parts."""
    written = stream.feed("one two three four ")
    stream.width = 12
    assert stream.width == 12
    assert (
        plain_text([*written, *stream.feed("five six"), *stream.finish()]) == "one two three four\nfive six"
    )


def test_reasoning_is_of_one_style() -> None:
    """The plain stream has one style for everything."""
    stream = PlainStream(40, DIM)
    assert joined([*stream.feed("a **b**\n"), *stream.finish()]) == [
        Span("a **b**", DIM),
        Span("\n", PLAIN),
    ]
