"""The report of a soak."""

import pytest
from bench.soak.report import Sample, plot, slope_mb_per_hour


def sample(minute: float, megabytes: float) -> Sample:
    """Return a sample of so many minutes after the start."""
    return {
        "s": 1000.0 + minute * 60,
        "rss_bytes": megabytes * 1e6,
        "descriptors": 20,
        "tasks": 9,
        "threads": 4,
    }


@pytest.mark.parametrize("per_hour", [-3.0, 0.0, 1.5])
def test_slope_is_in_megabytes_per_hour(per_hour: float) -> None:
    """A straight line has its own slope."""
    samples = [sample(minute, 60 + per_hour * minute / 60) for minute in range(21)]
    assert slope_mb_per_hour(samples) == pytest.approx(per_hour, abs=1e-6)


def test_slope_is_not_that_of_single_peaks() -> None:
    """Noise in both directions is no slope."""
    samples = [sample(minute, 60 + (1 if minute % 2 else -1)) for minute in range(21)]
    assert abs(slope_mb_per_hour(samples)) < 0.5


def test_plot_has_a_line_for_each_figure_and_the_slope() -> None:
    """The picture names its figures."""
    samples = [sample(minute, 60) for minute in range(5)]
    picture = plot(samples, loaded_from_s=samples[2]["s"], slope=0.25)
    assert picture.count("<polyline") == 3
    assert "+0.25 MB per hour" in picture
    assert "descriptors" in picture
