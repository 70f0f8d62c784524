"""The cells beside a progress bar: amount, rate and remaining time, in the units of ``gglib list``. Pure."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gglib.cli.views import render
from gglib.core.sizes import format_size_of
from gglib.library.pull.speed import Speed

if TYPE_CHECKING:
    from rich.progress import TextColumn

AMOUNT, RATE, REMAINING = "amount", "rate", "remaining"
NO_CELLS: Mapping[str, Any] = MappingProxyType({AMOUNT: "", RATE: "", REMAINING: ""})
"""Texts, typed as the fields of rich's tasks are."""
SAMPLE_INTERVAL_S = 0.2


class Meter:
    """Computes the cells. ``clock`` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._speed = Speed()
        self._sampled_s = float("-inf")
        self._rate: int | None = None

    def cells(self, done_bytes: int, total_bytes: int | None) -> dict[str, Any]:
        """Return the cells by name; those that are unknown are empty."""
        now_s = self._clock()
        if now_s - self._sampled_s >= SAMPLE_INTERVAL_S:
            self._sampled_s = now_s
            self._speed.add(now_s, done_bytes)
            self._rate = self._speed.bytes_per_s(now_s)
        amount = {**NO_CELLS, AMOUNT: amount_text(done_bytes, total_bytes)}
        if not self._rate or done_bytes == total_bytes:
            return amount
        left = None if total_bytes is None else total_bytes - done_bytes
        return amount | {
            RATE: f"{render.size(self._rate)}/s",
            REMAINING: "" if left is None else f"{render.duration(left / self._rate)} left",
        }


def amount_text(done_bytes: int, total_bytes: int | None) -> str:
    """Return the downloaded size, and of how much."""
    return render.size(done_bytes) if total_bytes is None else format_size_of(done_bytes, total_bytes)


def cell_columns() -> "list[TextColumn]":
    """Return rich's columns for the cells, which are fields of the task."""
    from rich.progress import TextColumn

    return [TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in (AMOUNT, RATE, REMAINING)]
