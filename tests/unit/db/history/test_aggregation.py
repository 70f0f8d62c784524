"""The rows of a second are bounded, and nothing is lost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.db.history.writing.aggregation import (
    MAX_GROUPS,
    MAX_ROWS_PER_S,
    MAX_SPECIAL_PER_S,
    Allowance,
    Rows,
    aggregate,
    merge,
)

PLAIN = RequestRecord("POST", "/", "a", 200, "r", 0.5, 1.0, 2.0, 1, False, None, ended_at_s=10.0)


def total(rows: Rows) -> int:
    """Return the number of requests in all rows."""
    return sum(rows.counts)


def test_few_requests_have_rows_of_their_own() -> None:
    """Also when they are all that a second may have."""
    records = [PLAIN] * MAX_ROWS_PER_S
    rows, allowance = aggregate(records, Allowance())
    assert (rows.records, set(rows.counts), rows.aggregated) == (records, {1}, 0)
    assert allowance.used == {10: (MAX_ROWS_PER_S, 0)}
    assert aggregate((), allowance) == (Rows((), (), 0), allowance)


def test_the_next_batch_of_the_second_is_aggregated() -> None:
    """The limit is one of a second, not of a batch; the last row has the last request id."""
    _, allowance = aggregate([PLAIN] * (MAX_ROWS_PER_S - 1), Allowance())
    rows, allowance = aggregate([replace(PLAIN, request_id=str(n)) for n in range(5)], allowance)
    assert list(rows.counts) == [1, 4]
    assert [record.request_id for record in rows.records] == ["0", "4"]
    assert rows.aggregated == 4
    rows, _ = aggregate([replace(PLAIN, ended_at_s=11.0)] * 2, allowance)
    assert list(rows.counts) == [1, 1]


def test_each_second_of_a_late_batch_has_its_own_limit() -> None:
    """After a failure a batch has many seconds."""
    records = [replace(PLAIN, ended_at_s=10.0 + n // 1000) for n in range(10_000)]
    rows, _ = aggregate(records, Allowance())
    assert (len(rows.records), rows.aggregated) == (10_000, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"error_code": "x"},
        {"cut": "client_left"},
        {"status": 404},
        {"status": None},
        {"swap": "-> a"},
        {"bodies": RecordedBodies(b"", b"")},
    ],
)
def test_special_requests_keep_their_rows_longer(change: dict[str, object]) -> None:
    """Failed ones, those with bodies and those that caused a swap; not without bounds."""
    special = replace(PLAIN, **change)  # type: ignore[arg-type] # the tests name real fields
    rows, _ = aggregate([PLAIN] * MAX_ROWS_PER_S + [PLAIN] * 3 + [special] * 2, Allowance())
    assert list(rows.counts) == [1] * MAX_ROWS_PER_S + [1, 1, 3]
    rows, _ = aggregate([PLAIN] * MAX_ROWS_PER_S + [special] * (MAX_SPECIAL_PER_S + 9), Allowance())
    assert len(rows.records) == MAX_ROWS_PER_S + MAX_SPECIAL_PER_S + 1
    assert rows.records[-1].bodies is None


def test_requests_that_are_all_different_share_rows_by_status() -> None:
    """What differs is left out."""
    many = [replace(PLAIN, program=f"p{n}", route=f"/{n}", tokens_per_s=1.0) for n in range(MAX_GROUPS + 9)]
    rows, _ = aggregate([PLAIN] * MAX_ROWS_PER_S + many, Allowance())
    assert len(rows.records) == MAX_ROWS_PER_S + MAX_GROUPS + 1
    last = rows.records[-1]
    assert (rows.counts[-1], last.program, last.route, last.model) == (9, None, "", "a")


def test_a_merged_record() -> None:
    """Sums of tokens, means of times; waits are a mean over all: the second has only waited."""
    merged = merge(
        [
            replace(PLAIN, prompt_tokens=3, tokens_per_s=10.0, requested_model="x", client="1"),
            replace(
                PLAIN, waited_s=None, duration_s=4.0, prompt_tokens=4, requested_model="x", first_byte_s=None
            ),
        ]
    )
    assert (merged.prompt_tokens, merged.completion_tokens, merged.cached_tokens) == (7, None, None)
    assert (merged.duration_s, merged.waited_s, merged.first_byte_s, merged.tokens_per_s) == (
        3.0,
        2.25,
        1.0,
        10.0,
    )
    assert (merged.requested_model, merged.client) == ("x", None)
    assert merge([PLAIN]) is PLAIN
    assert merge([replace(PLAIN, waited_s=None)] * 2).waited_s is None


def sums(records: Sequence[RequestRecord]) -> tuple[int, int, int]:
    """Return the sums of tokens."""
    return (
        sum(record.prompt_tokens or 0 for record in records),
        sum(record.completion_tokens or 0 for record in records),
        sum(record.cached_tokens or 0 for record in records),
    )


def busy_of(record: RequestRecord) -> float:
    """Return how long a request kept its model busy: not at all if it was not admitted."""
    return 0.0 if record.waited_s is None else record.duration_s - record.waited_s


tokens = st.sampled_from([None, 0, 1, 10**6])
changes = st.fixed_dictionaries(
    {
        "ended_at_s": st.sampled_from([10.0, 10.5, 11.0]),
        "model": st.sampled_from(["a", "b", None]),
        "status": st.sampled_from([200, 404, None]),
        "key_name": st.sampled_from(["k", None]),
        "prompt_tokens": tokens,
        "completion_tokens": tokens,
        "cached_tokens": tokens,
        "waited_s": st.sampled_from([None, 0.0, 0.1, 1.0]),
        "duration_s": st.sampled_from([1.0, 2.3, 9.0]),
    }
)


@given(st.lists(changes, max_size=12), st.integers(1, 7), st.integers(0, 3))
def test_nothing_is_lost(found: list[dict[str, object]], copies: int, before: int) -> None:
    """Requests, those by key, model and status, tokens and busy time are the same before and after."""
    records = [replace(PLAIN, **change) for change in found for _ in range(copies)]  # type: ignore[arg-type]
    records.sort(key=lambda record: record.ended_at_s)
    nearly_full = {10: (MAX_ROWS_PER_S - before, MAX_SPECIAL_PER_S - before), 11: (MAX_ROWS_PER_S, 0)}
    rows, _ = aggregate(records, Allowance(nearly_full))
    assert total(rows) == len(records)
    assert rows.aggregated == sum(count for count in rows.counts if count > 1)
    assert sums(rows.records) == sums(records)
    counted: Counter[object] = Counter()
    for record, count in zip(rows.records, rows.counts, strict=True):
        counted[record.key_name, record.model, record.status] += count
    assert counted == Counter((record.key_name, record.model, record.status) for record in records)
    busy_s = [busy_of(record) for record in records]
    stored_s = [busy_of(record) * count for record, count in zip(rows.records, rows.counts, strict=True)]
    assert sum(stored_s) == pytest.approx(sum(busy_s))
