"""Redacts text for a report: what is not known to be harmless is left out. Pure.

Patterns recognise only secrets with a known form. Here a word stays only if gglib's own sources have it, or if it is a
short number, a time or a version; the names of this home are replaced before that.
"""

import re
from collections.abc import Iterable, Mapping

LEFT_OUT = "[…]"
MAX_DIGITS = 8
"""Of a word: sizes and durations have fewer, generated secrets more."""

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?)?|\d\d:\d\d:\d\d(?:[.,]\d{1,6})?"
)
_VERSION = re.compile(r"b\d{3,6}|v?\d{1,4}\.\d{1,3}\.\d{1,6}")
"""A build of llama.cpp, or a version in three parts."""
_QUANTITY = re.compile(r"\d{1,6}(?:ms|us|s|m|h|d|B|K|M|G|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?")
_LOOPBACK = re.compile(r"(?:https?://)?(?:127\.0\.0\.1|0\.0\.0\.0|localhost)(?::\d{1,5})?")
_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_ADDRESS_6 = re.compile(
    r"(?<![\w:])(?=[0-9a-f:]*::|(?:[0-9a-f]{1,4}:){3})[0-9a-f:]*[0-9a-f][0-9a-f:]*(?![\w:])", re.IGNORECASE
)
"""With two colons in a row, or three and more; no time has these."""
_EDGES = re.compile(r"^([\"'(<\[{]*)(.*?)([\"')>\]},.;:!?]*)$", re.DOTALL)
_PIECES = re.compile(r"[A-Za-z0-9_]+")
_PLACEHOLDER = re.compile(r"\[[a-z]+(?: \d+)?\]|~")
_WORDS = re.compile(r"\S+")


class ReportRedactor:
    """Redacts lines with the words that may stay and the names that are replaced."""

    def __init__(self, words: frozenset[str], names: Mapping[str, str]) -> None:
        """``words`` are in lower case; ``names`` maps names of this home to what stands for them (``[model 1]``)."""
        self._words = words
        self._names = {name.casefold(): shown for name, shown in names.items() if name}
        longest_first = sorted(self._names, key=len, reverse=True)
        choices = "|".join(map(re.escape, longest_first))
        self._known = re.compile(rf"(?<!\w)(?:{choices})(?!\w)", re.IGNORECASE) if longest_first else None

    def text(self, line: str) -> str:
        """Return a line without what might be private."""
        if self._known is not None:
            line = self._known.sub(lambda found: self._names.get(found[0].casefold(), LEFT_OUT), line)
        return _WORDS.sub(lambda found: self._word(found[0]), _joined_placeholders(line)).replace("\0", " ")

    def _word(self, word: str) -> str:
        if _PLACEHOLDER.fullmatch(word.replace("\0", " ")):
            return word
        found = _EDGES.match(word)
        before, core, after = found.groups() if found else ("", word, "")
        name, mark, value = core.partition("=")
        if mark and self._may_stay(name):
            return f"{before}{name}={value if self._may_stay(value) else LEFT_OUT}{after}"
        return f"{before}{core if self._may_stay(core) else LEFT_OUT}{after}"

    def _may_stay(self, core: str) -> bool:
        if _TIME.fullmatch(core) or _VERSION.fullmatch(core) or _LOOPBACK.fullmatch(core):
            return True
        if (
            _ADDRESS.search(core)
            or _ADDRESS_6.search(core)
            or any(character.isalnum() and not character.isascii() for character in core)
        ):
            return False
        rest = _PLACEHOLDER.sub("", core.replace("\0", " "))
        if sum(character.isdigit() for character in rest) > MAX_DIGITS:
            return False
        return all(
            piece.lower() in self._words or _QUANTITY.fullmatch(piece) for piece in _PIECES.findall(rest)
        )


def _joined_placeholders(line: str) -> str:
    """Return the line with the blank inside of each placeholder as NUL, so that it is one word."""
    return _PLACEHOLDER.sub(lambda found: found[0].replace(" ", "\0"), line.replace("\0", "�"))


def numbered(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Return what stands for each of the names: ``[kind 1]``, ``[kind 2]``, in their order."""
    return {name: f"[{kind} {number}]" for number, name in enumerate(dict.fromkeys(names), 1)}
