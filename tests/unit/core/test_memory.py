"""The memory need of a model, and sizes by device."""

import pytest

from gglib.core.memory import MemoryNeed, after_out_of_memory, describe_device_bytes, exceeded_devices


@pytest.mark.parametrize(
    ("needed", "limits", "exceeded"),
    [
        ({}, {"ram": 1}, ()),
        ({"ram": 1}, {}, ()),
        ({"ram": 1}, {"ram": 1}, ()),
        ({"ram": 2}, {"ram": 1}, ("ram",)),
        ({"gpu0": 2, "ram": 2, "gpu1": 1}, {"ram": 1, "gpu0": 1, "gpu1": 1}, ("gpu0", "ram")),
    ],
)
def test_a_device_without_a_limit_is_never_exceeded(
    needed: dict[str, int], limits: dict[str, int], exceeded: tuple[str, ...]
) -> None:
    """A size equal to its limit fits."""
    assert exceeded_devices(needed, limits) == exceeded


@pytest.mark.parametrize(
    ("size", "limits", "raised"),
    [
        ({}, {}, {}),
        ({"ram": 100, "gpu0": 10}, {}, {"ram": 120, "gpu0": 12}),
        ({"ram": 100}, {"ram": 110}, {"ram": 110}),
        ({"ram": 100, "gpu0": 10}, {"ram": 90}, {"ram": 100, "gpu0": 12}),
    ],
)
def test_out_of_memory_raises_the_size_by_a_fifth(
    size: dict[str, int], limits: dict[str, int], raised: dict[str, int]
) -> None:
    """At most to the limit: a model that takes all of it may still be loaded alone."""
    assert after_out_of_memory(size, limits) == raised


def test_sizes_name_their_devices() -> None:
    """All devices, or the given ones; a missing size is 0."""
    sizes = {"ram": 4 * 10**9, "gpu0": 8 * 10**9}
    assert describe_device_bytes(sizes) == "4.0 GB of RAM and 8.0 GB on gpu0"
    assert describe_device_bytes(sizes, ["gpu0", "gpu1"]) == "8.0 GB on gpu0 and 0 MB on gpu1"


def test_the_total_need_is_the_sum_of_its_parts() -> None:
    """Pages that the engine leaves behind are not part of it: the system takes them back."""
    need = MemoryNeed(
        weights_bytes=1000,
        kv_bytes=200,
        compute_bytes=30,
        overhead_bytes=4,
        left_behind_bytes=50_000,
        is_exact=True,
    )
    assert need.total_bytes == 1234
