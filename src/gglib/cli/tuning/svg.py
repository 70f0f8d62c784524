"""Elements of plots, which are SVG written directly. Pure."""

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


def rectangle(x: float, y: float, width: float, height: float, *, colour: str) -> str:
    """Return a filled rectangle; lengths in pixels."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def line(x1: float, y1: float, x2: float, y2: float, *, colour: str) -> str:
    """Return a thin line between two points, in pixels."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def document(width: int, height: int, elements: list[str], *, title: str) -> str:
    """Return an SVG document on white, so that it is legible on any page."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="sans-serif">\n<title>{escape(title)}</title>\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(elements) + "\n</svg>\n"
    )
