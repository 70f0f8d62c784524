"""Records become rows and sums of usage."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.history.matching import is_failed, stored_request
from gglib.core.history.records import RequestRecord
from gglib.db.history.layout import MAX_NUMBER, ROW_VALUES, TEXT_FIELDS
from gglib.db.history.writing.batches import (
    Usage,
    bounded,
    is_storable,
    split,
    summarize,
)

PLAIN = RequestRecord(
    "POST", "/", "a", 200, "r", 0.5, 1.0, 2.0, 1, False, None, ended_at_s=7200.0, route="/v1"
)


class Names(dict[str | None, int]):
    """Ids as they come."""

    def __missing__(self, text: str | None) -> int:
        """Return the next id; 0 for no text."""
        self[text] = sum(number > 0 for number in self.values()) + 1 if text else 0
        return self[text]


def hour_of(at_s: float) -> int:
    """Return the hour in UTC."""
    return int(at_s // 3600) * 3600


def texts() -> st.SearchStrategy[str | None]:
    """Return few texts."""
    return st.sampled_from([None, "", "x", "y", "client_left"])


@given(
    st.fixed_dictionaries(
        {
            "error_code": texts(),
            "cut": texts(),
            "status": st.sampled_from([None, 200, 301, 400, 499, 500]),
            "model": texts(),
            "key_name": texts(),
            "program": texts(),
            "client": texts(),
            "swap": texts(),
            "node": texts(),
            "error_message": texts(),
            "profile": texts(),
            "requested_model": texts(),
        }
    )
)
def test_a_row_is_the_stored_request(change: dict[str, Any]) -> None:
    """The tuned loop and the plain functions agree."""
    record = replace(PLAIN, **change)
    names, usage = Names(), Usage()
    batch = summarize([record], [1], names, names, hour_of, 5, usage)
    stored = stored_request(record)
    assert len(batch.values) == ROW_VALUES
    by_id = {number: text for text, number in names.items() if number}
    row_names = [by_id.get(number) for number in batch.values[5:16]]  # type: ignore[call-overload]
    assert row_names == [getattr(stored, field) or None for field in TEXT_FIELDS]
    ((_, sums),) = usage.items()
    failed = is_failed(stored.error or None, stored.status)
    assert sums[:2] == [1, failed or stored.error is not None]


def test_usage_is_added_up() -> None:
    """By hour, key, model and client; a row that stands for several requests counts for all."""
    names = Names()
    usage: Usage = {(7200, names["k"], names["a"], 0): [1, 0, 1, 1, 1, 1.0]}
    records = [
        replace(PLAIN, key_name="k", prompt_tokens=3, completion_tokens=4, cached_tokens=2, status=500),
        replace(PLAIN, key_name="k", waited_s=None, ended_at_s=7199.0),
        replace(PLAIN, key_name="k", ended_at_s=10_799.9),
        replace(PLAIN, ended_at_s=10_800.0, duration_s=9.0),
    ]
    batch = summarize(records, [3, 1, 1, 1], names, names, hour_of, 1, usage)
    assert usage == {
        (7200, 1, 2, 0): [5, 3, 4, 5, 3, pytest.approx(1.0 + 4.5 + 1.5)],
        (3600, 1, 2, 0): [1, 0, 0, 0, 0, 0.0],  # it has only waited
        (10_800, 0, 2, 0): [1, 0, 0, 0, 0, 8.5],
    }
    assert (batch.oldest_s, batch.newest_s, batch.longest_s) == (7199.0, 10_800.0, 9.0)
    assert batch.values[0::ROW_VALUES] == [1, 2, 3, 4]
    assert batch.values[ROW_VALUES - 1 :: ROW_VALUES] == [3, 1, 1, 1]
    assert {"s200", "c2", "s500", "c5", "f", "ok", "-2", "-4", "1", "2"} <= batch.marks
    assert "w" not in batch.marks


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"method": "GET", "route": "/gglib/models/{name}", "status": 404}, False),
        ({"method": "GET", "route": "/v1/models", "status": 401}, False),
        ({"method": "POST", "route": "/gglib/models/{name}/load"}, False),
        ({"method": "POST", "route": "/v1/chat/completions", "status": 429}, True),
        ({"method": "GET", "route": "/props", "waited_s": 0.1}, True),
    ],
)
def test_usage_is_what_models_were_asked_for(change: dict[str, Any], counts: bool) -> None:  # noqa: FBT001
    """The lookup of a wrong name and the load by an operator have a row, and no part in the usage; a refusal has."""
    names, usage = Names(), Usage()
    record = replace(PLAIN, **{"waited_s": None, **change})
    batch = summarize([record], [1], names, names, hour_of, 1, usage)
    assert len(batch.values) == ROW_VALUES
    assert bool(usage) is counts


def test_a_client_that_left_before_the_response() -> None:
    """Has neither error nor cut; it is stored as one."""
    names, usage = Names(), Usage()
    batch = summarize(
        [replace(PLAIN, status=499), replace(PLAIN, status=499, cut="x")],
        [1, 1],
        names,
        names,
        hour_of,
        1,
        usage,
    )
    assert [names["client_left"], names["x"]] == batch.values[12::ROW_VALUES]
    assert (batch.oldest_s, batch.newest_s) == (7200.0, 7200.0)
    ((_, sums),) = usage.items()
    assert sums[:2] == [2, 2]


@given(st.integers(1, 2000), st.integers(0, 3000))
def test_parts_of_blocks(first_id: int, count: int) -> None:
    """They cover all rows; no part has rows of two blocks, and each is as long as possible."""
    parts = split(first_id, count, 512)
    assert [n for start, end in parts for n in range(start, end)] == list(range(count))
    blocks = [(first_id + start) // 512 for start, _ in parts]
    assert blocks == [(first_id + end - 1) // 512 for _, end in parts]
    assert blocks == sorted(set(blocks))


def test_values_that_cannot_be_stored() -> None:
    """Engines may report any number; wrong types are bugs."""
    record = replace(PLAIN, prompt_tokens=10**30, cached_tokens=-5, tokens_per_s=math.inf, waited_s=math.nan)
    found = bounded(record)
    assert (found.prompt_tokens, found.cached_tokens, found.completion_tokens) == (MAX_NUMBER, 0, None)
    assert (found.tokens_per_s, found.waited_s, found.duration_s) == (MAX_NUMBER, None, 2.0)
    assert bounded(replace(PLAIN, duration_s=math.nan, ended_at_s=math.nan)).ended_at_s == 0.0
    assert is_storable(record)
    for change in ({"prompt_tokens": 1.5}, {"duration_s": "2"}, {"model": b"a"}, {"request_id": 5}):
        assert not is_storable(replace(PLAIN, **change))
