"""Budgets of memory, and their limits by what other programs use."""

import pytest

from gglib.core.memory import RAM, GpuMemory, MachineMemory
from gglib.library.fit.budget import (
    EngineOnGpu,
    Held,
    budgets,
    free_of,
    held_on_gpu,
    is_within,
    limits,
    totals_of,
    usable,
)

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


def test_a_ram_of_unknown_size_has_the_budget_of_the_setting() -> None:
    """Without one it has none."""
    assert budgets({"gpu0": 8 * GIB}, {RAM: 5, "gpu7": 5}) == {RAM: 5, "gpu0": 7 * GIB}
    assert budgets({}, {}) == {}


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
    free = {RAM: 5 * GIB, "gpu0": 8 * GIB}
    found = usable(free, {RAM: Held(3 * GIB), "gpu0": Held(0)}, last={RAM: GIB})
    assert found == {RAM: 8 * GIB, "gpu0": 8 * GIB}
    assert limits({RAM: 20 * GIB, "gpu0": 7 * GIB}, found) == {RAM: 8 * GIB, "gpu0": 7 * GIB}


def test_unknown_memory_leaves_the_last_known_limit() -> None:
    """Or the budget: the engines' own memory must not count against them."""
    held = {RAM: Held(0), "gpu0": None}
    assert usable({"gpu0": GIB}, held, last={RAM: 5, "gpu0": 7}) == {RAM: 5, "gpu0": 7}
    assert usable({"gpu0": GIB}, held, last={}) == {}
    assert limits({RAM: 20 * GIB, "gpu0": GIB}, {"gpu0": 7}) == {RAM: 20 * GIB, "gpu0": 7}


def test_an_upper_bound_does_not_raise_the_last_known_limit() -> None:
    """It may lower it: then other programs have taken memory."""
    held = {"gpu0": Held(10, is_upper_bound=True)}
    assert usable({"gpu0": 20}, held, last={"gpu0": 25}) == {"gpu0": 25}
    assert usable({"gpu0": 5}, held, last={"gpu0": 25}) == {"gpu0": 15}
    assert usable({"gpu0": 5}, held, last={}) == {"gpu0": 15}


def on_gpu(shown: int, expected: int | None, *, is_ready: bool = True) -> EngineOnGpu:
    """Return the memory of an engine."""
    return EngineOnGpu(shown_bytes=shown, expected_bytes=expected, is_ready=is_ready)


@pytest.mark.parametrize(
    ("engines", "held"),
    [
        ([], Held(0)),
        ([on_gpu(5, 9), on_gpu(0, 9, is_ready=False)], Held(5)),
        ([on_gpu(0, 9), on_gpu(0, 0, is_ready=False)], Held(9)),
        ([on_gpu(0, 9), on_gpu(0, 4, is_ready=False)], Held(13, is_upper_bound=True)),
        ([on_gpu(0, 9), on_gpu(0, None)], None),
    ],
    ids=["none", "shown", "hidden", "loading", "unknown"],
)
def test_memory_of_engines_on_a_gpu(engines: list[EngineOnGpu], held: Held | None) -> None:
    """What the driver shows; if it shows none of them, what they are expected to take."""
    assert held_on_gpu(engines) == held


def test_within_a_limit() -> None:
    """Every device counts; a device without a limit does not."""
    assert is_within({RAM: 1, "gpu0": 5}, {RAM: 1})
    assert not is_within({RAM: 2}, {RAM: 1, "gpu0": 9})
