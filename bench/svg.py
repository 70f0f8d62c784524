"""What the plots have in common: they are SVG, written by hand."""

from html import escape


def text_at(  # noqa: PLR0913 - the attributes of a text are what they are
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    colour: str = "#222",
    is_bold: bool = False,
    size: int = 12,
) -> str:
    """Return a text whose ``anchor`` is at a point; pixels."""
    weight = ' font-weight="bold"' if is_bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}"{weight}>'
        f"{escape(words)}</text>"
    )
