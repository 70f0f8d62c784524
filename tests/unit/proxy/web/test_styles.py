"""The style sheets of the page become one."""

import pytest

from gglib.proxy.web.styles import join_styles

BEFORE = b'<link rel="icon" href="{{base}}/icon.svg">\n'
FILES = {"style/b.css": b"b{}\n", "vendor/a.css": b"a{}\n", "other.css": b"c{}\n", "app.js": b"1"}


def link(path: str) -> bytes:
    """Return a link to a style sheet."""
    return b'<link rel="stylesheet" href="{{base}}/%b">\n' % path.encode()


def test_linked_style_sheets_are_joined_in_the_order_of_their_links() -> None:
    """One link at the place of the first; files that are not linked stay."""
    index = BEFORE + link("vendor/a.css") + b"<meta>\n" + link("style/b.css") + b"<title>\n"
    assert join_styles(index, FILES) == (
        BEFORE + link("style.css") + b"<meta>\n<title>\n",
        {"other.css": b"c{}\n", "app.js": b"1", "style.css": b"a{}\nb{}\n"},
    )


def test_an_index_without_style_sheets_stays() -> None:
    """And so do the files."""
    assert join_styles(BEFORE, FILES) == (BEFORE, FILES)


def test_a_missing_style_sheet_is_an_error() -> None:
    """An incomplete installation."""
    with pytest.raises(KeyError):
        join_styles(link("gone.css"), FILES)
