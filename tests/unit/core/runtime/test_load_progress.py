"""The progress of a load."""

import pytest

from gglib.core.runtime.load_progress import LoadProgress, estimated_load_s


@pytest.mark.parametrize(
    ("elapsed_s", "expected_s", "share", "eta_s"),
    [
        (0.0, 8.0, 0.0, 8.0),
        (2.0, 8.0, 0.25, 6.0),
        (1.0, 3.0, 0.33, 2.0),
        (7.99, 8.0, 0.99, 0.0),
        (8.0, 8.0, 0.99, 0.0),
        (80.0, 8.0, 0.99, 0.0),
        (0.0, 0.5, 0.0, 0.5),
        (1.0, 0.0, 0.99, 0.0),
        (0.0, 0.0, 0.99, 0.0),
    ],
)
def test_a_load_never_reports_its_end(
    elapsed_s: float, expected_s: float, share: float, eta_s: float
) -> None:
    """The share stays below 1 and the remaining time at 0 or above, however long the load takes."""
    progress = LoadProgress(elapsed_s=elapsed_s, expected_s=expected_s)
    assert (progress.state, progress.share, progress.eta_s) == ("loading", share, eta_s)


def test_a_load_that_has_not_begun_is_queued() -> None:
    """It has no share yet, and all of the expected time remains."""
    progress = LoadProgress(elapsed_s=None, expected_s=8.0)
    assert (progress.state, progress.share, progress.eta_s) == ("queued", None, 8.0)


def test_the_first_load_is_estimated_from_the_size() -> None:
    """A fixed part, and the time to read the files from an ordinary SSD."""
    assert estimated_load_s(0) == 2.0
    assert estimated_load_s(5 * 1000 * 1024**2) == 12.0
