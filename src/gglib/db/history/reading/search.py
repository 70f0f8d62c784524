"""What a search reads: which blocks, and which of their rows. Pure: ``pages`` reads them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gglib.core.history.records import FAILED_STATUS
from gglib.core.history.requests import RequestFilter
from gglib.db.history.layout import BLOCK_ROWS, MAX_NUMBER, TEXT_FIELDS, to_ms, to_us
from gglib.db.history.marks import class_mark, condition, empty_mark

MAX_ID = 2**62
MAX_TEXT_NAMES = 100
"""A text that occurs in more names is looked for in the rows of all blocks: it is common."""
_EXACT = ("key", "client", "model", "profile", "route", "error", "node")
_HAS_TEXT = " OR ".join(f"r.{name} IN (SELECT id FROM temp.found_names)" for name in TEXT_FIELDS)  # noqa: S608 - constants
_FAILED = f"(r.error != 0 OR r.status = 0 OR r.status >= {FAILED_STATUS})"


@dataclass(slots=True)
class Conditions:
    """Conditions that are joined by AND, with their parameters."""

    texts: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, text: str, *values: object) -> None:
        """Add a condition."""
        self.texts.append(text)
        self.values += values

    @property
    def sql(self) -> str:
        """The conditions; ``true`` if there are none."""
        return " AND ".join(self.texts) or "true"


@dataclass(frozen=True, slots=True)
class Search:
    """A search in two steps: blocks ``b`` that may have rows that fit, and rows ``r`` of each."""

    blocks: Conditions = field(default_factory=Conditions)
    rows: Conditions = field(default_factory=Conditions)
    text: str | None = None
    """With small ASCII letters; it may be in a name, or in the request id."""
    text_marks: str = "true"
    """Condition that a block may have names with the text."""
    request_id: str | None = None

    def row_condition(self, numbers: Sequence[int] | None) -> str:
        """Return the condition on rows of a block; the requests ``numbers`` have fitting ids, None: not looked for."""
        if numbers is None:
            return self.rows.sql
        by_id = f"r.id IN ({', '.join(map(str, numbers))})"
        if self.request_id is None:
            return f"{self.rows.sql} AND ({by_id} OR {_HAS_TEXT})"
        if self.text is None or self.text in lowered(self.request_id):
            return f"{self.rows.sql} AND {by_id}"
        return f"{self.rows.sql} AND {by_id} AND ({_HAS_TEXT})"


def names_of(wanted: RequestFilter) -> Iterator[str]:
    """Yield the names that must exist for anything to fit."""
    for name in _EXACT:
        if text := getattr(wanted, name):
            yield text


def plan_search(
    wanted: RequestFilter,
    *,
    before: int | None,
    after: int | None,
    ids: Mapping[str, int],
    text_ids: Sequence[int],
) -> Search:
    """Return the search for the requests that fit ``wanted``, numbered below ``before`` and above ``after``.

    ``ids`` has those of all ``names_of``; ``text_ids`` are those of all names that have the text.
    """
    text = None if wanted.text is None else lowered(wanted.text)
    few = text is not None and len(text_ids) <= MAX_TEXT_NAMES
    marks = (condition(map(str, text_ids)) if text_ids else "false") if few else "true"
    search = Search(text=text, text_marks=marks, request_id=wanted.request_id)
    _add_range(search, before, after)
    _add_times(search, wanted)
    _add_names(search, wanted, ids)
    _add_outcome(search, wanted)
    return search


def lowered(text: str) -> str:
    """Return ``text`` with small ASCII letters; other letters stay, as in SQLite's ``lower``."""
    return text.encode("utf-8", "replace").lower().decode()


def _add_range(search: Search, before: int | None, after: int | None) -> None:
    if before is not None or after is not None:
        first = min(max(after or 0, 0), MAX_ID) + 1
        last = min(MAX_ID if before is None else before - 1, MAX_ID)
        search.rows.add("r.id BETWEEN ? AND ?", first, last)
        search.blocks.add("b.block BETWEEN ? AND ?", first // BLOCK_ROWS, last // BLOCK_ROWS)


def _add_times(search: Search, wanted: RequestFilter) -> None:
    if wanted.since_s is not None:
        since_ms = to_ms(_bounded(wanted.since_s))
        search.blocks.add("b.newest_ms >= ?", since_ms)
        search.rows.add("r.ended_ms >= ?", since_ms)
    if wanted.until_s is not None:
        until_ms = to_ms(_bounded(wanted.until_s))
        search.blocks.add("b.oldest_ms < ?", until_ms)
        search.rows.add("r.ended_ms < ?", until_ms)
    if wanted.min_duration_s is not None:
        duration_us = to_us(_bounded(wanted.min_duration_s))
        search.blocks.add("b.longest_us >= ?", duration_us)
        search.rows.add("r.duration_us >= ?", duration_us)


def _bounded(seconds: float) -> float:
    """Return seconds that are an integer of SQLite in any unit."""
    return max(-float(MAX_NUMBER), min(seconds, float(MAX_NUMBER)))


def _add_names(search: Search, wanted: RequestFilter, ids: Mapping[str, int]) -> None:
    for name in _EXACT:
        text = getattr(wanted, name)
        if text is None:
            continue
        number = ids[text] if text else 0
        search.rows.add(f"r.{name} = ?", number)
        search.blocks.add(condition([str(number) if number else empty_mark(TEXT_FIELDS.index(name))]))


def _add_outcome(search: Search, wanted: RequestFilter) -> None:
    if wanted.statuses is not None:
        first, last = wanted.statuses
        search.rows.add("r.status BETWEEN ? AND ? AND r.status != 0", first, last)
        classes = {class_mark(status) for status in range(max(first, 0), min(last, 1000) + 1)}
        words = [f"s{first}"] if first == last else sorted(classes)
        search.blocks.add(condition(words) if words else "false")
    if wanted.is_failed is not None:
        search.rows.add(_FAILED if wanted.is_failed else f"NOT {_FAILED}")
        search.blocks.add(condition(["f" if wanted.is_failed else "ok"]))
    if wanted.caused_swap is not None:
        search.rows.add("r.swap != 0" if wanted.caused_swap else "r.swap = 0")
        search.blocks.add(condition(["w" if wanted.caused_swap else empty_mark(TEXT_FIELDS.index("swap"))]))
