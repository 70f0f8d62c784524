"""Budgets of memory, and their limits by what other programs use."""

import pytest

from gglib.core.memory import RAM, GpuMemory, MachineMemory
from gglib.library.fit.budget import budgets, free_of, is_within, limits, totals_of

GIB = 1024**3


@pytest.mark.parametrize(
    ("total", "budget"),
    [(64 * GIB, 64 * GIB - 64 * GIB // 10), (8 * GIB, 7 * GIB), (GIB, GIB // 2), (0, 0)],
)
def test_default_budget_leaves_a_gibibyte_or_a_tenth(total: int, budget: int) -> None:
    """A tenth of a large machine, 1 GiB of a small one, and never more than half of it."""
    assert budgets({RAM: total}, {}) == {RAM: budget}


def test_the_setting_is_never_above_the_total() -> None:
    """Each device may be set; unset devices have the default, and devices that do not exist are ignored."""
    totals = {RAM: 16 * GIB, "gpu0": 8 * GIB, "gpu1": 8 * GIB}
    setting = {RAM: 20 * GIB, "gpu0": 4 * GIB, "gpu7": GIB}
    assert budgets(totals, setting) == {RAM: 16 * GIB, "gpu0": 4 * GIB, "gpu1": 7 * GIB}


def test_devices_of_a_machine() -> None:
    """RAM and each GPU; what the system does not report is missing, so that it has no limit."""
    gpus = tuple(
        GpuMemory(name="gpu", total_bytes=size * GIB, free_bytes=(size - 1) * GIB) for size in (8, 24)
    )
    machine = MachineMemory(total_bytes=64 * GIB, available_bytes=32 * GIB, gpus=gpus)
    assert totals_of(machine) == {RAM: 64 * GIB, "gpu0": 8 * GIB, "gpu1": 24 * GIB}
    assert free_of(machine) == {RAM: 32 * GIB, "gpu0": 7 * GIB, "gpu1": 23 * GIB}
    unknown = MachineMemory(total_bytes=None, available_bytes=None)
    assert totals_of(unknown) == free_of(unknown) == {}


def test_limit_is_the_free_memory_and_what_the_engines_give_back() -> None:
    """Other programs reduce the limit; a machine with more free memory than the budget does not raise it."""
    budget = {RAM: 20 * GIB, "gpu0": 8 * GIB}
    free = {RAM: 5 * GIB, "gpu0": 8 * GIB}
    assert limits(budget, free=free, held={RAM: 3 * GIB}) == {RAM: 8 * GIB, "gpu0": 8 * GIB}


def test_unknown_memory_of_engines_leaves_the_budget() -> None:
    """A driver in a container may not show the engines' processes: their own memory must not count against them."""
    budget = {RAM: 20 * GIB, "gpu0": 8 * GIB}
    assert limits(budget, free={RAM: GIB, "gpu0": GIB}, held={RAM: 0, "gpu0": None}) == {
        RAM: GIB,
        "gpu0": 8 * GIB,
    }
    assert limits(budget, free={}, held={}) == budget


def test_within_a_limit() -> None:
    """Every device counts; a device without a limit does not."""
    assert is_within({RAM: 1, "gpu0": 5}, {RAM: 1})
    assert not is_within({RAM: 2}, {RAM: 1, "gpu0": 9})
