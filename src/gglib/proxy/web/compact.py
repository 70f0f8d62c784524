"""Removes comments and needless space from the page's modules and style sheets before they are served. Pure.

The sources carry their types in comments, which are a quarter of what would be sent. Names and lines stay, so an error
in a browser still names a readable place. Strings and regular expressions are kept as they are; templates lose their
indentation, which htm ignores.
"""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<slash>/)
    |(?P<other>[\w$]+|[^\w\s"'])
    |(?P<space>\s+)
    """,
    re.VERBOSE | re.DOTALL,
)
_EXPRESSION = re.compile(r"/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/[a-z]*")
_TEMPLATE_TEXT = re.compile(r"(?:\\.|\$(?!\{)|[^`\\$])*", re.DOTALL)
_BEFORE_EXPRESSION = frozenset("(,=:[!&|?{};+-*%~^<>\n")
"""After these characters a slash begins a regular expression, else it divides. No module begins a line with a
division, which would be read as an expression."""
_WORDS_BEFORE_EXPRESSION = frozenset(
    ("return", "typeof", "case", "in", "of", "do", "else", "void", "yield", "await")
)
_INDENTATION = re.compile(r"\n\s+")
_STYLE_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_LINE_BREAKS = re.compile(r"\s*\n\s*")
_STYLE_SIGN = re.compile(r"\s*([{};,])\s*")


def compact_module(source: str) -> str:
    """Return a JavaScript module without comments, indentation, empty lines and spaces beside signs."""
    return "".join(_pieces(source)).strip() + "\n"


def compact_style(source: str) -> str:
    """Return a style sheet without comments and line breaks, and without spaces beside signs that separate."""
    text = _LINE_BREAKS.sub("", _STYLE_COMMENT.sub("", source)).strip()
    return _STYLE_SIGN.sub(r"\1", text) + "\n"


def _pieces(source: str) -> Iterator[str]:
    position, last, space = 0, "\n", ""
    braces: list[bool] = []
    """For each open brace, whether it belongs to a template: ``${``."""
    while position < len(source):
        kind, text, end = _token(source, position, last if space != "\n" else "\n")
        if kind == "space":
            space = "\n" if "\n" in text or space == "\n" else " "
        elif kind != "comment":
            is_template = text == "`" or (text == "}" and bool(braces) and braces.pop())
            if text == "{":
                braces.append(False)
            if is_template:
                end = _template_end(source, end)
                text = _INDENTATION.sub("\n", source[position:end])
                if text.endswith("${"):
                    braces.append(True)
            yield (space if _needs_space(space, last, text) else "") + text
            last, space = "{" if is_template and text.endswith("${") else text, ""
        position = end


def _needs_space(space: str, before: str, after: str) -> bool:
    """Whether the space between two tokens has a meaning. Line breaks are kept: they may end a statement."""
    if space != " ":
        return bool(space)
    left, right = before[-1], after[0]
    are_words = (left.isalnum() or left in "_$") and (right.isalnum() or right in "_$")
    return are_words or left == right or "/" in {left, right}


def _token(source: str, position: int, last: str) -> tuple[str | None, str, int]:
    """Return the kind, the text and the end of the token at a position; ``last`` is the token before it."""
    match = _TOKEN.match(source, position)
    if match is None:
        raise ValueError(f"The module cannot be read at {source[position : position + 20]!r}.")
    if match.lastgroup == "slash" and (last in _BEFORE_EXPRESSION or last in _WORDS_BEFORE_EXPRESSION):
        match = _EXPRESSION.match(source, position) or match
    return match.lastgroup, match[0], match.end()


def _template_end(source: str, position: int) -> int:
    """Return the position after the ``${`` or the backtick that ends the text of a template at ``position``."""
    text = _TEMPLATE_TEXT.match(source, position)
    end = position if text is None else text.end()
    return end + (2 if source.startswith("${", end) else 1)
