"""Texts with a style, as the printers of answers write them. Pure."""

from collections.abc import Iterable
from typing import NamedTuple


class Style(NamedTuple):
    """How a terminal shows a text."""

    bold: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False
    dim: bool = False
    color: str | None = None
    """A name of click's colours."""


PLAIN = Style()
DIM = Style(dim=True)
CODE = Style(color="cyan")
HEADING = Style(bold=True)
TITLE = Style(bold=True, underline=True)


class Span(NamedTuple):
    """A text, which may contain line breaks, and its style."""

    text: str
    style: Style = PLAIN


def merged(outer: Style, inner: Style) -> Style:
    """Return a style with what either has; the inner colour overrides the outer one."""
    return Style(
        bold=outer.bold or inner.bold,
        italic=outer.italic or inner.italic,
        underline=outer.underline or inner.underline,
        strike=outer.strike or inner.strike,
        dim=outer.dim or inner.dim,
        color=inner.color or outer.color,
    )


def plain_text(spans: Iterable[Span]) -> str:
    """Return the text of spans."""
    return "".join(span.text for span in spans)
