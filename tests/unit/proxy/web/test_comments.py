"""Comments of the page's files are removed before they are served, and nothing else."""

import re
from pathlib import Path

import pytest

from gglib.proxy.web.comments import without_comments
from gglib.proxy.web.reading import DIRECTORY

OWN = sorted(
    path for path in DIRECTORY.rglob("*") if path.suffix in {".js", ".css"} and "vendor" not in path.parts
)
_COMMENT = re.compile(r"^[ \t]*(?://|/\*)[^\n]*", re.MULTILINE)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/** A value. */\nconst a = 1; // one\n\n\nconst b = 2;\n", "const a = 1; // one\nconst b = 2;\n"),
        ("  /**\n   * @param {string} a\n   */\n  f(a) {}\n", "  f(a) {}\n"),
        ("// why\nconst a = 1;\n", "const a = 1;\n"),
        ("const a = /** @type {any} */ (b);\n", "const a = (b);\n"),
        ("  /** @type {any} */ (b).c();\n  d();\n  /** Ends. */\n", "  (b).c();\n  d();\n"),
        ('const url = "https://example.com/*no*/";\n', 'const url = "https://example.com/*no*/";\n'),
        ("/* Colours.\n */\na { color: red; }\n", "a { color: red; }\n"),
    ],
)
def test_comments_go(source: str, expected: str) -> None:
    """Those on lines of their own and casts; what follows code stays, as do strings that look like comments."""
    assert without_comments(source) == expected


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(DIRECTORY).as_posix())
def test_files_of_the_page(path: Path) -> None:
    """No template has a line that would be taken for a comment: all templates before a comment have ended."""
    source = path.read_text(encoding="utf-8")
    assert len(without_comments(source)) < len(source)
    for match in _COMMENT.finditer(source):
        assert without_comments(source[: match.start()]).count("`") % 2 == 0, match[0]
