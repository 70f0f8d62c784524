"""Emphasis, code and links inside a line."""

import pytest

from gglib.cli.chat.output.inline import MAX_HELD, InlineScanner, inline_spans
from gglib.cli.chat.output.styles import CODE, DIM, Span, Style, plain_text
from gglib.cli.chat.output.wrap import joined

BOLD, ITALIC, STRIKE = Style(bold=True), Style(italic=True), Style(strike=True)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("a **b c** d", [Span("a "), Span("b c", BOLD), Span(" d")]),
        ("*i* __b__ _i_", [Span("i", ITALIC), Span(" "), Span("b", BOLD), Span(" "), Span("i", ITALIC)]),
        ("***x***", [Span("x", Style(bold=True, italic=True))]),
        ("**a *b* c**", [Span("a ", BOLD), Span("b", Style(bold=True, italic=True)), Span(" c", BOLD)]),
        ("**a *b***", [Span("a ", BOLD), Span("b", Style(bold=True, italic=True))]),
        ("*a **b** c*", [Span("a ", ITALIC), Span("b", Style(bold=True, italic=True)), Span(" c", ITALIC)]),
        ("`` `a` ``", [Span("`a`", CODE)]),
        ("[http://x](http://x)", [Span("http://x", Style(underline=True))]),
        ("`a*b*` ``c`d``", [Span("a*b*", CODE), Span(" "), Span("c`d", CODE)]),
        ("~~gone~~", [Span("gone", STRIKE)]),
        ("这是**粗体**字", [Span("这是"), Span("粗体", BOLD), Span("字")]),
        ("[a](http://x/y_(z))", [Span("a", Style(underline=True)), Span(" (http://x/y_(z))", DIM)]),
    ],
)
def test_spans_have_styles(text: str, spans: list[Span]) -> None:
    """Emphasis, code and links lose their markers."""
    assert joined(inline_spans(text)) == spans


@pytest.mark.parametrize(
    "text",
    [
        "2*3*4",
        "2 * 3 * 4",
        "2**8 and 3**2",
        "snake_case_name and __init__x",
        "f(*args, **kwargs)",
        "an *open marker",
        "**open",
        "a `tick",
        r"\(x^2\) and \[y\]",
        "[1] and [x] (y)",
        "[x](" + "(aaaa" * 50 + "))",
        "[x](a b",
        "a[0] = b[1]",
        "~5 and ~6",
        "**",
        "* ",
        "`",
        "\\",
    ],
)
def test_what_is_no_span_stays_as_it_is(text: str) -> None:
    """Operators, identifiers, LaTeX and unclosed markers are text."""
    assert plain_text(inline_spans(text)) == text


def test_a_long_text_after_a_marker_is_no_span() -> None:
    """It is written as it came, before its line ends."""
    scanner = InlineScanner()
    text = "[x" + " word" * MAX_HELD
    assert plain_text(scanner.feed(text)) == text
