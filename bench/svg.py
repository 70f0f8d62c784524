"""Helpers for the plots, which are SVG written directly."""

from html import escape


def text_at(  # noqa: PLR0913 - the attributes of an SVG text
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    colour: str = "#222",
    is_bold: bool = False,
    size: int = 12,
) -> str:
    """Return a text element whose ``anchor`` is at a point, in pixels."""
    weight = ' font-weight="bold"' if is_bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}"{weight}>'
        f"{escape(words)}</text>"
    )
