"""Checks what a node has reported against the scheduler's promises (docs/promises.md). Pure.

A node reports three things: its status, read about twice a second; its swaps; and the requests that it has stored. All
are lost with its process but the last, so they are collected by run of the server. Times are in seconds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
"""A JSON object of the admin API."""

LATE_S = 2.0
"""How much later than promised a swap may start on a busy machine."""
_UNSTORED_S = 5.0
"""Requests that end so shortly before a node is killed need not be stored."""
_LEFT = 499
_OK = 200
_WITHDRAWN = "withdrawn"
"""The error of a request that waited, and moved to another node: that one has it, too."""


@dataclass(slots=True)
class Run:
    """What one run of a node's server has reported."""

    max_models: int
    swap_wait_s: float
    residents: list[Sequence[Row]] = field(default_factory=list)
    """Of each status."""
    swaps: dict[tuple[Any, ...], Row] = field(default_factory=dict)
    """By what identifies them, in the order of their end."""

    def add_swaps(self, newest_first: Iterable[Row]) -> None:
        """Add the swaps of a response, most of which may be known."""
        for swap in reversed(list(newest_first)):
            self.swaps.setdefault((swap["ended_at"], swap["from_model"], swap["to_model"]), swap)


def run_complaints(run: Run) -> Iterator[str]:
    """Yield the promises that a run has broken."""
    for residents in run.residents:
        names = [resident["model_name"] for resident in residents]
        if len(names) > run.max_models:
            yield f"promise 5: {len(names)} models in memory: {names}"
        if len(set(names)) < len(names):
            yield f"promise 5: a model was launched twice: {names}"
    in_memory: set[str] = set()
    for swap in run.swaps.values():
        yield from _swap_complaints(swap, in_memory, run)


def _swap_complaints(swap: Row, in_memory: set[str], run: Run) -> Iterator[str]:
    old, new = swap["from_model"], swap["to_model"]
    if swap["error"] is not None:
        yield f"promise 7: a load failed: {swap['error']}"
        return
    in_memory.discard(old)  # if it was there: also a load that was not finished makes room
    if new in in_memory:
        yield f"promise 2: {new} was loaded twice"
    if new is not None:
        in_memory.add(new)
    if len(in_memory) > run.max_models:
        yield f"promise 5: {len(in_memory)} models in memory after a swap: {sorted(in_memory)}"
    turns_s = sum(_duration_s(other) for other in run.swaps.values() if _delays(other, swap))
    if swap["waited_s"] > run.swap_wait_s + turns_s + LATE_S:
        yield f"promise 3: a swap began after {swap['waited_s']:.1f} s: {swap['why']}"


def _delays(other: Row, swap: Row) -> bool:
    """Whether another swap took place while a swap waited: models that wait have their turns."""
    since_s = swap["ended_at"] - swap["total_s"]
    other_since_s = other["ended_at"] - _duration_s(other)
    return other is not swap and since_s < other["ended_at"] and other_since_s < since_s + swap["waited_s"]


def _duration_s(swap: Row) -> float:
    return float(swap["drain_s"] + swap["stop_s"] + swap["load_s"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A request that a node has answered completely."""

    request_id: str
    node: str
    ended_at_s: float
    """In Unix time."""


def history_complaints(
    answers: Sequence[Answer], stored: Mapping[str, Sequence[Row]], kills: Mapping[str, Sequence[float]]
) -> Iterator[str]:
    """Yield what is wrong with the stored requests of the nodes; ``kills`` are the Unix times at which they were lost.

    Each answer is stored once, by the node that the front's history names. What else nodes have stored are requests
    that the front has left: its client did, or the node counted as lost.
    """
    for answer in (answer for answer in answers if answer.node not in stored):
        yield f"the answered request {answer.request_id} was served by {answer.node}"
    for node, rows in stored.items():
        by_id: dict[str, list[int | None]] = {}
        for row in rows:
            by_id.setdefault(row["request_id"], []).append(row["status"])
            if row["status"] not in {_OK, _LEFT} and row["error"] != _WITHDRAWN:
                yield f"{node}: a request ended with {row['status']} {row['error']}: {row['error_message']}"
        for answer in (answer for answer in answers if answer.node == node):
            complete = by_id.get(answer.request_id, []).count(_OK)
            is_unstored = any(0 <= kill_s - answer.ended_at_s < _UNSTORED_S for kill_s in kills.get(node, ()))
            if complete != 1 and not is_unstored:
                yield f"{node}: the answered request {answer.request_id} is stored {complete} times"
