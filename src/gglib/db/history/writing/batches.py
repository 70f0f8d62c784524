"""Turns records into the values of rows, and adds up their usage. Pure; runs once for each request, so it is tuned."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import UnionType
from typing import cast

from gglib.core.history.matching import CLIENT_LEFT
from gglib.core.history.records import CLIENT_CLOSED_REQUEST, FAILED_STATUS, RequestRecord
from gglib.db.history.layout import MAX_NUMBER, ROW_VALUES, TEXT_FIELDS
from gglib.db.history.marks import marks_of
from gglib.db.history.request_ids import clean_id

_STATUS = 3
_FIRST_NAME = 5
SLICE_S = 900
"""Offsets of time zones, and their changes, are multiples of a quarter of an hour."""

_OPERATORS_ROUTES = "/gglib/"
"""Beginning of the routes of operators, which load, pin and remove models, and reach none."""

Names = dict[str | None, int]
"""Ids by text; finds or creates what is missing (``NameTable``)."""
HourOf = Callable[[float], int]
UsageKey = tuple[int, int, int, int]
"""Start of the hour in seconds since the epoch, and the ids of the names of key, model and client."""
Usage = dict[UsageKey, list[float]]
"""Requests, failed ones, prompt, completion and cached tokens, busy seconds."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of consecutive requests of one block."""

    values: list[object]
    """Of all rows, one after the other, in the order of the columns of ``requests``; times in seconds."""
    request_ids: list[bytes]
    marks: set[str]
    oldest_s: float
    newest_s: float
    longest_s: float


def summarize(  # noqa: C901, PLR0912, PLR0913, PLR0917 - one loop without calls: it runs for each request
    records: Sequence[RequestRecord],
    counts: Iterable[int],
    names: Names,
    long_names: Names,
    hour_of: HourOf,
    first_id: int,
    usage: Usage,
) -> Batch:
    """Return the batch of ``records``, which get consecutive numbers from ``first_id``, and add to ``usage``.

    Each record stands for as many requests as ``counts`` has for it; its tokens are those of all. Usage is what models
    were asked for: reads that failed, such as the lookup of an unknown name, and actions of operators are only rows.
    """
    values: list[object] = []
    oldest_s = newest_s = records[0].ended_at_s
    longest_s = from_s = until_s = 0.0
    hour = 0
    number = first_id
    for record, count in zip(records, counts, strict=True):
        ended_s = record.ended_at_s
        duration_s = record.duration_s
        waited_s = record.waited_s
        status = record.status or 0
        error = record.error_code or record.cut
        if error is None and status == CLIENT_CLOSED_REQUEST:
            error = CLIENT_LEFT
        model = names[record.model]
        key = names[record.key_name]
        client = names[record.program]
        prompt = record.prompt_tokens
        completion = record.completion_tokens
        cached = record.cached_tokens
        values += (
            number,
            ended_s,
            duration_s,
            status,
            record.is_streamed,
            names[record.route],
            model,
            names[record.requested_model],
            names[record.profile],
            key,
            client,
            names[record.client],
            names[error],
            long_names[record.error_message],
            long_names[record.swap],
            names[record.node],
            waited_s,
            record.first_byte_s,
            prompt,
            completion,
            cached,
            record.tokens_per_s,
            count,
        )
        number += 1
        if not from_s <= ended_s < until_s:
            hour = hour_of(ended_s)
            from_s = ended_s - ended_s % SLICE_S
            until_s = from_s + SLICE_S
        if ended_s > newest_s:
            newest_s = ended_s
        elif ended_s < oldest_s:
            oldest_s = ended_s
        if duration_s > longest_s:  # noqa: PLR1730 - max() takes longer
            longest_s = duration_s
        if waited_s is None and (record.method != "POST" or record.route.startswith(_OPERATORS_ROUTES)):
            continue  # it was not for a model
        group = (hour, key, model, client)
        sums = usage.get(group)
        if sums is None:
            sums = usage[group] = [0, 0, 0, 0, 0, 0.0]
        sums[0] += count
        if error is not None or not FAILED_STATUS > status > 0:
            sums[1] += count
        if prompt:
            sums[2] += prompt
        if completion:
            sums[3] += completion
        if cached:
            sums[4] += cached
        if waited_s is not None:  # otherwise it has kept no model busy: its time was the wait for one
            sums[5] += (duration_s - waited_s) * count
    request_ids = [clean_id(record.request_id) for record in records]
    return Batch(values, request_ids, _marks(values), oldest_s, newest_s, longest_s)


def _marks(values: list[object]) -> set[str]:
    statuses = cast("list[int]", values[_STATUS::ROW_VALUES])
    positions = range(_FIRST_NAME, _FIRST_NAME + len(TEXT_FIELDS))
    return marks_of(statuses, [cast("list[int]", values[position::ROW_VALUES]) for position in positions])


def split(first_id: int, count: int, block_rows: int) -> list[tuple[int, int]]:
    """Return the (start, end) of each block's part of ``count`` rows whose numbers begin at ``first_id``."""
    cuts = [0, *range(block_rows - first_id % block_rows, count, block_rows), count]
    return list(pairwise(cuts)) if count else []


_NUMBERS = ("ended_at_s", "duration_s", "waited_s", "first_byte_s", "tokens_per_s")
_COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "status")
_TEXTS = (
    *("route", "model", "requested_model", "profile", "key_name", "program", "client", "error_code", "cut"),
    *("error_message", "swap", "node"),
)


def is_storable(record: RequestRecord) -> bool:
    """Whether all values have the types that they are declared with."""
    return (
        _are(record, _NUMBERS, int | float)
        and _are(record, _COUNTS, int)
        and _are(record, _TEXTS, str)
        and _are(record, ("request_id",), str)
    )


def _are(record: RequestRecord, names: Sequence[str], kind: type | UnionType) -> bool:
    values = (getattr(record, name) for name in names)
    return all(value is None or isinstance(value, kind) for value in values)


def bounded(record: RequestRecord) -> RequestRecord:
    """Return the record with numbers that SQLite can hold: engines may report anything."""
    return replace(
        record,
        status=_bounded(record.status),
        ended_at_s=_finite(record.ended_at_s) or 0.0,
        duration_s=_finite(record.duration_s) or 0.0,
        waited_s=_finite(record.waited_s),
        first_byte_s=_finite(record.first_byte_s),
        tokens_per_s=_finite(record.tokens_per_s),
        prompt_tokens=_bounded(record.prompt_tokens),
        completion_tokens=_bounded(record.completion_tokens),
        cached_tokens=_bounded(record.cached_tokens),
    )


def _bounded(value: int | None) -> int | None:
    return None if value is None else max(0, min(value, MAX_NUMBER))


def _finite(value: float | None) -> float | None:
    """Return the value, or None if it is no number; at most ``MAX_NUMBER``."""
    return None if value is None or value != value else max(0.0, min(value, float(MAX_NUMBER)))  # noqa: PLR0124 - NaN
