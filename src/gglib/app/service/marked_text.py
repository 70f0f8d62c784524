"""Recognizes files that gglib wrote and that are unchanged: only those are replaced or deleted. Pure.

The mark is a comment in the first line of a unit, or after the head of a property list. It has a checksum of the rest.
"""

import hashlib
import re
from enum import Enum

_WORDS = "Written by 'gglib service install', which replaces it; sha256"
_MARK = re.compile(rf"^(?:# |<!-- ){re.escape(_WORDS)} (?P<sum>[0-9a-f]{{16}})(?: -->)?\n", re.MULTILINE)
_XML_HEAD = re.compile(r"\A<\?xml[^\n]*\n(?:<!DOCTYPE[^\n]*\n)?")


class FileState(Enum):
    """What a file at the place of one of gglib's own is."""

    OURS = "written by gglib"
    CHANGED = "written by gglib and changed since"
    FOREIGN = "not written by gglib"


def with_mark(text: str) -> str:
    """Return the text with its mark."""
    head = _XML_HEAD.match(text)
    if head is None:
        return f"# {_WORDS} {_checksum(text)}\n{text}"
    return f"{head[0]}<!-- {_WORDS} {_checksum(text)} -->\n{text[head.end() :]}"


def state_of(text: str) -> FileState:
    """Return whether gglib wrote the text as it is."""
    mark = _MARK.search(text)
    if mark is None:
        return FileState.FOREIGN
    rest = text[: mark.start()] + text[mark.end() :]
    return FileState.OURS if _checksum(rest) == mark["sum"] else FileState.CHANGED


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
