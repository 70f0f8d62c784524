"""The memory need of a model."""

from gglib.core.memory import MemoryNeed


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
