"""Expected load times and ``Retry-After``."""

from pathlib import Path

import pytest

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.load_times import LoadTimes

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"), size_bytes=5 * 1000 * 1024**2)


def test_before_the_first_load_the_time_is_estimated_from_the_size() -> None:
    """A fixed part, and the time to read the file from an ordinary SSD: 5,000 MiB at 500 MiB/s."""
    assert LoadTimes().expected_s(A) == 12.0


def test_after_a_load_its_measured_time_is_expected() -> None:
    """The last load counts, and only for its own model."""
    times = LoadTimes()
    times.record(A.model_id, 9.0)
    times.record(A.model_id, 3.0)
    times.record(2, 40.0)
    assert times.expected_s(A) == 3.0


@pytest.mark.parametrize(
    ("elapsed_s", "retry_after_s"), [(0.0, 3.0), (1.5, 1.5), (2.0, 1.0), (2.5, 1.0), (60.0, 1.0)]
)
def test_retry_after_is_the_remaining_time(elapsed_s: float, retry_after_s: float) -> None:
    """At least a second, also if the load takes longer than expected."""
    times = LoadTimes()
    times.record(A.model_id, 3.0)
    assert times.retry_after_s(A, elapsed_s=elapsed_s) == retry_after_s
