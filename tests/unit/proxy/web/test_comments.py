"""Comments and the indentation of the page's files are removed before they are served, and nothing else."""

import re
from pathlib import Path

import pytest

from gglib.proxy.web.comments import without_comments, without_indentation
from gglib.proxy.web.reading import DIRECTORY

OWN = sorted(
    path for path in DIRECTORY.rglob("*") if path.suffix in {".js", ".css"} and "vendor" not in path.parts
)
_COMMENT = re.compile(r"^[ \t]*(?://|/\*)[^\n]*|(?<=[;:,(){}\[\]]) // [^\n]*$", re.MULTILINE)

_REGEX = r"(?<=[=(,:?&|!\[]|\s)/(?![/*\s])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\[\\\n])+/"
_CODE = re.compile(rf""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|{_REGEX}|\w*`|[{{}}]""")
_TEMPLATE = re.compile(r"\\.|\$\{|`|\n")


def templates_of_lines(source: str) -> set[str]:
    """Return the tags of all templates that span lines in a module without comments. Raises if one does not end."""
    tags: set[str] = set()
    open_tags: list[str] = []  # of templates, and "{" for code in braces
    at = 0
    while True:
        in_template = bool(open_tags) and open_tags[-1] != "{"
        token = (_TEMPLATE if in_template else _CODE).search(source, at)
        if token is None:
            assert open_tags == []
            return tags
        at = token.end()
        text = token[0]
        if in_template and text == "\n":
            tags.add(open_tags[-1])
        elif text in {"${", "{"}:
            open_tags.append("{")
        elif text == "}" or (in_template and text == "`"):
            open_tags.pop()
        elif text.endswith("`"):
            open_tags.append(text)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/** A value. */\nconst a = 1; // one\n\n\nconst b = 2;\n", "const a = 1;\nconst b = 2;\n"),
        ("try { // first\n  f(a, // the first\n    b);\n} // end\n", "try {\n  f(a,\n    b);\n}\n"),
        ("  case 1: // one\n    f();\n", "  case 1:\n    f();\n"),
        ("const a = b // c\n", "const a = b // c\n"),
        ("  /**\n   * @param {string} a\n   */\n  f(a) {}\n", "  f(a) {}\n"),
        ("// why\nconst a = 1;\n", "const a = 1;\n"),
        ("const a = /** @type {any} */ (b);\n", "const a = (b);\n"),
        ("  /** @type {any} */ (b).c();\n  d();\n  /** Ends. */\n", "  (b).c();\n  d();\n"),
        ('const url = "https://example.com/*no*/";\n', 'const url = "https://example.com/*no*/";\n'),
        ("/* Colours.\n */\na { color: red; }\n", "a { color: red; }\n"),
    ],
)
def test_comments_go(source: str, expected: str) -> None:
    """Those on lines of their own, after statements and parts of them, and casts; strings with slashes stay."""
    assert without_comments(source) == expected


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(DIRECTORY).as_posix())
def test_files_of_the_page(path: Path) -> None:
    """No text would be taken for a comment: all templates before a comment have ended, and strings in its line."""
    source = path.read_text(encoding="utf-8")
    assert len(without_comments(source)) < len(source)
    for match in _COMMENT.finditer(source):
        before = without_comments(source[: match.start()])
        assert before.count("`") % 2 == 0, match[0]
        line = before.rpartition("\n")[2]
        assert line.count('"') % 2 == line.count("'") % 2 == 0, match[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('f(`a`, `${b}`, "`", /`/, x / y);\n', set()),
        ("const a = html`<p>\n  ${b ? html`<b>` : `c`}\n</p>`;\n", {"html`"}),
        ("const a = `\n  b`;\n", {"`"}),
        ("const a = html`${b({ c: `\n` })}`;\n", {"`"}),
    ],
)
def test_templates_of_lines(source: str, expected: set[str]) -> None:
    """Nested ones, too; strings and regular expressions are none."""
    assert templates_of_lines(source) == expected


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(DIRECTORY).as_posix())
def test_indentation_is_no_text(path: Path) -> None:
    """Lines begin with their first character; only templates of HTML, and none of preformatted text, have several."""
    source = without_comments(path.read_text(encoding="utf-8"))
    assert without_indentation(source).splitlines() == [line.lstrip(" \t") for line in source.splitlines()]
    if path.suffix == ".js":
        assert templates_of_lines(source) <= {"html`"}
        assert re.search(r"<pre\b(?:(?!</pre>).)*\n", source) is None
