"""Removes the comments and the indentation of the page's own modules and style sheets before they are served. Pure.

The sources carry their types in comments, which are a quarter of what would be sent. Of comments, only what stands on
lines of its own or ends a line of code, and casts to a type, are removed: no string or template of the page has
anything that looks like it, which a test checks.
"""

import re

_BLOCK = re.compile(r"^[ \t]*/\*[^*]*\*+(?:[^/*][^*]*\*+)*/[ \t]*\n", re.MULTILINE)
_LINE = re.compile(r"^[ \t]*//[^\n]*\n", re.MULTILINE)
_END_OF_LINE = re.compile(r"(?<=[;:,(){}\[\]]) // [^\n]*$", re.MULTILINE)
_CAST = re.compile(r"/\*\* @type [^*\n]*\*/ ?")
_INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n\s*\n")


def without_comments(source: str) -> str:
    """Return a module or a style sheet without comments, casts and empty lines."""
    for pattern in (_BLOCK, _LINE, _END_OF_LINE, _CAST):
        source = pattern.sub("", source)
    return _EMPTY_LINES.sub("\n", source)


def without_indentation(source: str) -> str:
    """Return a module or a style sheet whose lines begin with their first character that is no space.

    Only templates of HTML span lines, which a test checks: htm removes the white space around their ends of lines.
    """
    return _INDENTATION.sub("", source)
