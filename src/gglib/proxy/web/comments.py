"""Removes the comments of the page's own modules and style sheets before they are served. Pure.

The sources carry their types in comments, which are a quarter of what would be sent. Only what stands on lines of its
own, and casts to a type, are removed: no string or template of the page has such a line, which a test checks.
"""

import re

_BLOCK = re.compile(r"^[ \t]*/\*[^*]*\*+(?:[^/*][^*]*\*+)*/[ \t]*\n", re.MULTILINE)
_LINE = re.compile(r"^[ \t]*//[^\n]*\n", re.MULTILINE)
_CAST = re.compile(r"/\*\* @type [^*\n]*\*/ ?")
_EMPTY_LINES = re.compile(r"\n\s*\n")


def without_comments(source: str) -> str:
    """Return a module or a style sheet without comments on lines of their own, casts and empty lines."""
    for pattern in (_BLOCK, _LINE, _CAST):
        source = pattern.sub("", source)
    return _EMPTY_LINES.sub("\n", source)
