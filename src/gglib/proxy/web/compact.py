"""Removes comments and indentation from the page's modules and style sheets before they are served. Pure.

The sources carry their types in comments, which are a quarter of what would be sent. Names and lines stay, so an error
in a browser still names a readable place. Strings, templates and regular expressions are kept as they are.
"""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<tick>`)
    |(?P<brace>[{}])
    |(?P<slash>/)
    |(?P<word>[\w$]+)
    |(?P<space>\s+)
    |(?P<sign>[^\w\s"'])
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
_STYLE_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_LINE_BREAKS = re.compile(r"\s*\n\s*")


def compact_module(source: str) -> str:
    """Return a JavaScript module without comments, indentation and empty lines."""
    return "".join(_pieces(source)).strip() + "\n"


def compact_style(source: str) -> str:
    """Return a style sheet without comments, indentation and empty lines."""
    return _LINE_BREAKS.sub("\n", _STYLE_COMMENT.sub("", source)).strip() + "\n"


def _pieces(source: str) -> Iterator[str]:
    position, last, space = 0, "\n", ""
    braces: list[bool] = []
    """For each open brace, whether it belongs to a template: ``${``."""
    while position < len(source):
        if (match := _TOKEN.match(source, position)) is None:
            raise ValueError(f"The module cannot be read at {source[position : position + 20]!r}.")
        kind, text, position = match.lastgroup, match[0], match.end()
        if kind == "comment":
            continue
        if kind == "space":
            space = "\n" if "\n" in text or space == "\n" else " "
            continue
        yield space
        last, space = "\n" if space == "\n" else last, ""
        is_template = kind == "tick"
        if kind == "slash" and (last in _BEFORE_EXPRESSION or last in _WORDS_BEFORE_EXPRESSION):
            expression = _EXPRESSION.match(source, match.start())
            if expression is not None:
                text, position = expression[0], expression.end()
        elif text == "{":
            braces.append(False)
        elif text == "}":
            is_template = bool(braces) and braces.pop()
        if is_template:
            template, position = _template(source, position)
            text += template
            if template.endswith("${"):
                braces.append(True)
        yield text
        last = "{" if text.endswith("${") and is_template else text


def _template(source: str, position: int) -> tuple[str, int]:
    """Return the text of a template up to and with ``${`` or its end, and the position after it."""
    text = _TEMPLATE_TEXT.match(source, position)
    assert text is not None
    end = text.end() + (2 if source.startswith("${", text.end()) else 1)
    return source[position:end], end
