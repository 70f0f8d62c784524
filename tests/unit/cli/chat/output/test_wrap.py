"""Word wrap while a text arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from gglib.cli.chat.output.styles import DIM, Span, plain_text
from gglib.cli.chat.output.wrap import MIN_WIDTH, Wrapper, joined

FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"


def wrapped(text: str, width: int, *, indent: str = "", step: int = 1) -> str:
    """Return a text that was fed in parts of ``step`` characters."""
    wrapper = Wrapper(width)
    wrapper.indent = Span(indent)
    spans = [span for at in range(0, len(text), step) for span in wrapper.feed(text[at : at + step])]
    return plain_text([*spans, *wrapper.finish()])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("the quick brown fox", ["the quick", "brown fox"]),
        ("exactly 10 here", ["exactly 10", "here"]),
        ("a\n\n  b c", ["a", "", "  b c"]),
        ("one     two      x", ["one", "two      x"]),
        ("trailing   \nnext", ["trailing", "next"]),
        ("日本語の文字です", ["日本語の文", "字です"]),
        ("日本語の文。字", ["日本語の", "文。字"]),
        ("(日本語の文)", ["(日本語の", "文)"]),
        ("caf\u0065\u0301 caf\u0065\u0301 x", ["caf\u0065\u0301 caf\u0065\u0301", "x"]),
        (f"12345 {FAMILY} 8 x", [f"12345 {FAMILY} 8", "x"]),
        ("ab https://example.com/x cd", ["ab", "https://example.com/x cd"]),
        ("a\tb", ["a    b"]),
    ],
)
@pytest.mark.parametrize("step", [1, 3, 100])
def test_lines_break_between_words(text: str, lines: list[str], step: int) -> None:
    """Spaces at a break are dropped; wide characters, marks and joined emoji count as a terminal shows them."""
    assert wrapped(text, 10, step=step).split("\n") == lines


def test_further_lines_have_the_indent() -> None:
    """The indent is that of a paragraph: a line break of the text ends it."""
    assert wrapped("one two three four\nfive", 12, indent="  ") == "one two\n  three four\nfive"


def test_a_word_is_written_when_it_is_complete() -> None:
    """The start of a word is held back, so that nothing moves later; a word longer than a line is written at once."""
    wrapper = Wrapper(10)
    assert plain_text(wrapper.feed("one tw")) == "one"
    assert plain_text(wrapper.feed("o thr")) == " two"
    assert plain_text(wrapper.feed("ee")) == ""
    assert plain_text(wrapper.feed("-and-much-more")) == "\nthree-and-much-more"
    assert plain_text(wrapper.finish()) == ""


def test_a_resized_terminal_takes_effect_at_once() -> None:
    """The width may change between two parts."""
    wrapper = Wrapper(40)
    first = wrapper.feed("one two three ")
    wrapper.width = 12
    assert plain_text([*first, *wrapper.feed("four five "), *wrapper.finish()]) == "one two three\nfour five"


def test_a_word_may_have_several_styles() -> None:
    """A word whose letters differ in style is not broken."""
    wrapper = Wrapper(10)
    spans = [*wrapper.feed("one two th"), *wrapper.feed("ree", DIM), *wrapper.finish()]
    assert joined(spans) == [Span("one two\nth"), Span("ree", DIM)]


@given(st.text(alphabet="ab -\n日本。é" + FAMILY), st.integers(MIN_WIDTH, 30), st.integers(1, 7))
def test_nothing_is_lost_and_no_line_is_too_long(text: str, width: int, step: int) -> None:
    """All characters but white space arrive in their order; only a single word may be longer than the terminal."""
    result = wrapped(text, width, step=step)
    assert "".join(result.split()) == "".join(text.split())
    assert result == wrapped(text, width, step=1000)
    for line in result.split("\n"):
        assert cell_len(line.lstrip()) <= width or " " not in line.strip()


@given(st.text())
def test_any_text_is_wrapped(text: str) -> None:
    """No text raises."""
    assert wrapped(text, 1) is not None
