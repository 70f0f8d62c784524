"""Bounds the rows of a second: beyond the limit, requests share a row with those that are alike. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat

from gglib.core.history.matching import is_failed
from gglib.core.history.records import RequestRecord

MAX_ROWS_PER_S = 2000
MAX_SPECIAL_PER_S = 2000
"""Rows beyond ``MAX_ROWS_PER_S`` for failed requests and those with a swap or bodies, which are rarely alike."""
MAX_GROUPS = 500
"""Rows of groups in one batch and second; requests beyond are grouped by status and error alone."""

_MERGED = ("requested_model", "client", "error_message", "swap")
"""Fields that a group's row has only if all its requests have the same."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The rows of their own that the seconds seen last already have, by second: (ordinary, special)."""

    used: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """What becomes rows: records, and for how many requests each stands."""

    records: Sequence[RequestRecord]
    counts: Sequence[int]
    aggregated: int
    """Requests that share a row."""


def aggregate(records: Sequence[RequestRecord], allowance: Allowance) -> tuple[Rows, Allowance]:
    """Return the rows for ``records``, which are in the order of their ends, and what the next batch is allowed.

    The requests of all rows together are those of ``records``, and their tokens are the same. Groups come last.
    """
    if not records:
        return Rows((), (), 0), allowance
    last = int(records[-1].ended_at_s)
    used = allowance.used
    if len(records) + sum(n for n, _ in used.values()) <= MAX_ROWS_PER_S:
        rows = Rows(records, tuple(repeat(1, len(records))), 0)
        count = sum(1 for record in records if int(record.ended_at_s) == last)
        n, special = used.get(last, (0, 0))
        return rows, Allowance({last: (n + count, special)})
    return _aggregate(records, dict(used), last)


def _aggregate(
    records: Sequence[RequestRecord], used: dict[int, tuple[int, int]], last: int
) -> tuple[Rows, Allowance]:
    own: list[RequestRecord] = []
    groups: dict[tuple[object, ...], list[RequestRecord]] = {}
    sizes: dict[int, int] = {}
    for record in records:
        second = int(record.ended_at_s)
        ordinary, special = used.get(second, (0, 0))
        if ordinary < MAX_ROWS_PER_S:
            used[second] = (ordinary + 1, special)
            own.append(record)
        elif special < MAX_SPECIAL_PER_S and _is_special(record):
            used[second] = (ordinary, special + 1)
            own.append(record)
        else:
            _add(groups, sizes, second, record)
    merged = [merge(group) for group in groups.values()]
    counts = [1] * len(own) + [len(group) for group in groups.values()]
    shared = sum(len(group) for group in groups.values() if len(group) > 1)
    return Rows([*own, *merged], counts, shared), Allowance({last: used.get(last, (0, 0))})


def _is_special(record: RequestRecord) -> bool:
    return (
        is_failed(record.error_code or record.cut, record.status)
        or record.swap is not None
        or record.bodies is not None
    )


def _add(
    groups: dict[tuple[object, ...], list[RequestRecord]],
    sizes: dict[int, int],
    second: int,
    record: RequestRecord,
) -> None:
    alike: tuple[object, ...] = (
        second,
        record.route,
        record.status,
        record.model,
        record.profile,
        record.key_name,
        record.program,
        record.error_code,
        record.cut,
        record.is_streamed,
        record.node,
    )
    if alike not in groups:
        if sizes.get(second, 0) >= MAX_GROUPS:
            alike = (second, record.status, record.error_code, record.cut)
        if alike not in groups:
            sizes[second] = sizes.get(second, 0) + 1
    groups.setdefault(alike, []).append(record)


def merge(group: Sequence[RequestRecord]) -> RequestRecord:
    """Return one record for requests that are alike: sums of tokens, means of times, the last request id.

    ``waited_s`` is a mean over all, so that the busy time of the group stays the sum of its requests': those that were
    not admitted have waited for all of their time.
    """
    last = group[-1]
    if len(group) == 1:
        return last
    is_admitted = any(record.waited_s is not None for record in group)
    waits = [record.duration_s if record.waited_s is None else record.waited_s for record in group]
    merged = replace(
        last,
        bodies=None,
        duration_s=sum(record.duration_s for record in group) / len(group),
        waited_s=sum(waits) / len(group) if is_admitted else None,
        first_byte_s=_mean([record.first_byte_s for record in group]),
        tokens_per_s=_mean([record.tokens_per_s for record in group]),
        prompt_tokens=_sum([record.prompt_tokens for record in group]),
        completion_tokens=_sum([record.completion_tokens for record in group]),
        cached_tokens=_sum([record.cached_tokens for record in group]),
    )
    for name in (*_MERGED, "route", "model", "profile", "key_name", "program", "node"):
        if any(getattr(record, name) != getattr(last, name) for record in group):
            setattr(merged, name, "" if name == "route" else None)
    return merged


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
