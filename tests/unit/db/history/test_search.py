"""What a search reads. That it finds what fits is in the contract of histories; here is what it does not read."""

import pytest

from gglib.core.history.requests import RequestFilter
from gglib.db.history.layout import TEXT_FIELDS
from gglib.db.history.marks import class_mark, condition, marks_of, names_in, text_of
from gglib.db.history.reading.search import MAX_TEXT_NAMES, Search, lowered, names_of, plan_search
from gglib.db.history.writing.names import clean


def plan(wanted: RequestFilter, *, text_ids: tuple[int, ...] = (), **limits: int | None) -> Search:
    """Return a search where each name has its length as the id."""
    ids = {name: len(name) for name in names_of(wanted)}
    return plan_search(
        wanted, before=limits.get("before"), after=limits.get("after"), ids=ids, text_ids=text_ids
    )


def test_without_a_filter_all_is_read() -> None:
    """No condition on blocks or rows."""
    search = plan(RequestFilter())
    assert (search.blocks.sql, search.rows.sql, search.row_condition(None)) == ("true", "true", "true")


@pytest.mark.parametrize(
    ("wanted", "block", "row"),
    [
        (RequestFilter(key="abc"), "(instr(b.marks, ' 3 '))", "r.key = ?"),
        (RequestFilter(key=""), "(instr(b.marks, ' -4 '))", "r.key = ?"),
        (RequestFilter(statuses=(404, 404)), "(instr(b.marks, ' s404 '))", None),
        (
            RequestFilter(statuses=(450, 599)),
            "(instr(b.marks, ' c4 ') OR instr(b.marks, ' c5 '))",
            "r.status BETWEEN ? AND ? AND r.status != 0",
        ),
        (RequestFilter(statuses=(5, 4)), "false", None),
        (RequestFilter(is_failed=True), "(instr(b.marks, ' f '))", None),
        (RequestFilter(is_failed=False), "(instr(b.marks, ' ok '))", None),
        (RequestFilter(caused_swap=True), "(instr(b.marks, ' w '))", "r.swap != 0"),
        (RequestFilter(caused_swap=False), "(instr(b.marks, ' -9 '))", "r.swap = 0"),
        (RequestFilter(min_duration_s=2.0), "b.longest_us >= ?", "r.duration_us >= ?"),
        (RequestFilter(since_s=2.0), "b.newest_ms >= ?", "r.ended_ms >= ?"),
        (RequestFilter(until_s=2.0), "b.oldest_ms < ?", "r.ended_ms < ?"),
    ],
)
def test_blocks_without_the_value_are_skipped(wanted: RequestFilter, block: str, row: str | None) -> None:
    """By their marks or their limits."""
    search = plan(wanted)
    assert search.blocks.sql == block
    assert row in {None, search.rows.sql}


def test_pages_skip_blocks() -> None:
    """Numbers are exclusive; limits may be out of range."""
    search = plan(RequestFilter(), before=1025, after=511)
    assert search.blocks.values == [1, 2]
    assert search.rows.values == [512, 1024]
    assert plan(RequestFilter(), after=2**80).rows.values[0] == 2**62 + 1


def test_a_text_that_is_in_few_names() -> None:
    """Blocks without them are skipped; too many names are not listed."""
    assert plan(RequestFilter(text="A")).text_marks == "false"
    assert plan(RequestFilter(text="A"), text_ids=(5,)).text_marks == "(instr(b.marks, ' 5 '))"
    many = tuple(range(1, MAX_TEXT_NAMES + 2))
    assert plan(RequestFilter(text="A"), text_ids=many).text_marks == "true"


def test_rows_by_text_and_request_id() -> None:
    """The text is in the id, or it has to be in a name."""
    names = "r.route IN (SELECT id FROM temp.found_names)"
    assert names in plan(RequestFilter(text="a")).row_condition([3, 4])
    assert "r.id IN (3, 4) OR" in plan(RequestFilter(text="a")).row_condition([3, 4])
    assert plan(RequestFilter(request_id="XAY", text="a")).row_condition([3]) == "true AND r.id IN (3)"
    assert names in plan(RequestFilter(request_id="X", text="a")).row_condition([3])
    assert plan(RequestFilter(request_id="X")).row_condition([]) == "true AND r.id IN ()"


def test_letters() -> None:
    """ASCII only, as in SQLite; what cannot be stored is replaced."""
    assert lowered("AÄ\ud800") == "aÄ?"
    assert clean("a\0b\ud800cd", 4) == "ab?"


def test_marks() -> None:
    """Words for what occurs, and only that."""
    columns = [[0, 0]] * len(TEXT_FIELDS)
    columns[1] = [7, 0]
    assert marks_of([200, 404], columns) == {
        *(f"-{position}" for position in range(len(TEXT_FIELDS))),
        *("7", "s200", "c2", "ok", "s404", "c4", "f"),
    }
    columns = [[9]] * len(TEXT_FIELDS)
    assert marks_of([200], columns) == {"9", "s200", "c2", "f", "w"}
    assert marks_of([0], [[0]] * len(TEXT_FIELDS)) >= {"f", "s0", "c0"}
    assert (class_mark(1234), class_mark(99)) == ("c9", "c0")
    assert names_in(text_of({"17", "-4", "s404", "f"})) == {17}
    assert condition(["a", "b"]) == "(instr(b.marks, ' a ') OR instr(b.marks, ' b '))"
