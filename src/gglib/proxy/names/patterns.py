"""Patterns of alias lists: names with ``*``, which stands for any run of characters. Pure."""

from gglib.core.name_rules import normalized_name
from gglib.core.names import LATEST_TAG

WILDCARD = "*"
"""The only special character: ``?`` and brackets stand for themselves, because names may have them."""


def is_pattern(name: str) -> bool:
    """Whether the name of an alias is a pattern."""
    return WILDCARD in name


class NamePattern:
    """Matches whole names, ignoring case and Unicode form like name resolution (``core.names``).

    A name also matches without the tag ``:latest``, which Ollama's clients add. Matching takes linear time: the name
    comes from a request.
    """

    __slots__ = ("_end", "_middle", "_start", "literals", "text")

    def __init__(self, text: str) -> None:
        """``text`` has at least one ``*``."""
        self.text = text
        self._start, *self._middle, self._end = _folded(text).split(WILDCARD)
        self.literals = len(_folded(text).replace(WILDCARD, ""))
        """The number of characters that are no ``*``: a pattern with more of them is more specific."""

    def matches(self, name: str) -> bool:
        """Whether the pattern matches."""
        folded = _folded(name)
        return self._matches(folded) or (
            folded.endswith(LATEST_TAG) and self._matches(folded.removesuffix(LATEST_TAG))
        )

    def _matches(self, folded: str) -> bool:
        """Whether the parts between the wildcards occur in their order; the earliest place of each leaves most room."""
        position, limit = len(self._start), len(folded) - len(self._end)
        if position > limit or not (folded.startswith(self._start) and folded.endswith(self._end)):
            return False
        for part in self._middle:
            found = folded.find(part, position, limit)
            if found < 0:
                return False
            position = found + len(part)
        return True


def _folded(name: str) -> str:
    return normalized_name(name).casefold()
