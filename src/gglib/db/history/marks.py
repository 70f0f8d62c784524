"""What occurs in the rows of a block, as words of one text: a filter skips blocks without its words. Pure.

``17``: the name 17, in any field; ``-4``: the field ``TEXT_FIELDS[4]`` is empty; ``s404`` and ``c4``: a status and its
class; ``f``: failed; ``ok``: not failed; ``w``: caused a swap.
"""

from collections.abc import Iterable, Sequence

from gglib.core.history.records import FAILED_STATUS
from gglib.db.history.layout import TEXT_FIELDS

_SWAP = TEXT_FIELDS.index("swap")
_ERROR = TEXT_FIELDS.index("error")
_MAX_CLASS = 9


def marks_of(statuses: Sequence[int], columns: Sequence[Sequence[int]]) -> set[str]:
    """Return the words for rows with these statuses, and with the ids of names in columns like ``TEXT_FIELDS``."""
    marks = set()
    for position, column in enumerate(columns):
        ids = set(column)
        if 0 in ids:
            marks.add(empty_mark(position))
            ids.discard(0)
        marks.update(map(str, ids))
    for status, error in set(zip(statuses, columns[_ERROR], strict=True)):
        marks.add("f" if error or not status or status >= FAILED_STATUS else "ok")
        marks.update((f"s{status}", class_mark(status)))
    if any(columns[_SWAP]):
        marks.add("w")
    return marks


def empty_mark(position: int) -> str:
    """Return the word for rows without a text in this field."""
    return f"-{position}"


def class_mark(status: int) -> str:
    """Return the word for the class of a status."""
    return f"c{min(status // 100, _MAX_CLASS)}"


def text_of(marks: Iterable[str]) -> str:
    """Return the stored form."""
    return f" {' '.join(sorted(marks))} "


def names_in(text: str) -> set[int]:
    """Return the ids of names in a stored form."""
    return {int(word) for word in text.split() if word.isdigit()}


def condition(alternatives: Iterable[str]) -> str:
    """Return the condition that a block has one of these words. They are of this module and have no quotes."""
    return "(" + " OR ".join(f"instr(b.marks, ' {word} ')" for word in alternatives) + ")"
