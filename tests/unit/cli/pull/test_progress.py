"""The cells of a progress bar, and the lines of a pipe."""

import pytest

from gglib.cli.pull.progress import ProgressLines, pull_progress, shortened
from gglib.cli.terminal.progress_cells import Meter, amount_text
from gglib.library.pull.execute import ADDING, DOWNLOADING, VERIFYING, WAITING, PullProgress

MB = 1_000_000


class Clock:
    """A clock that the test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def at(done_mb: int, total_mb: int | None = 4700, phase: str = DOWNLOADING) -> PullProgress:
    """Return the progress of one file."""
    total = None if total_mb is None else total_mb * MB
    return PullProgress(file="a-Q4_K_M.gguf", done_bytes=done_mb * MB, total_bytes=total, phase=phase)


def test_amount_has_the_units_of_list() -> None:
    """One unit if both have the same."""
    assert amount_text(1900 * MB, 4700 * MB) == "1.9 of 4.7 GB"
    assert amount_text(0, 93 * MB) == "0 of 93 MB"
    assert amount_text(470 * MB, 4700 * MB) == "470 MB of 4.7 GB"
    assert amount_text(512 * MB, None) == "512 MB"


def test_rate_and_remaining_time() -> None:
    """None while nothing is measured, nor at the end."""
    clock = Clock()
    meter = Meter(clock)
    assert tuple(meter.cells(0, 4700 * MB).values()) == ("0 MB of 4.7 GB", "", "")
    clock.now_s = 1.0
    assert tuple(meter.cells(50 * MB, 4700 * MB).values()) == ("50 MB of 4.7 GB", "50 MB/s", "1 min left")
    assert tuple(meter.cells(51 * MB, None).values()) == ("51 MB", "50 MB/s", "")
    assert tuple(meter.cells(93 * MB, 93 * MB).values()) == ("93 of 93 MB", "", "")


def test_pipe_has_a_line_for_each_tenth_and_phase() -> None:
    """Each once; a wait is reported elsewhere."""
    lines = ProgressLines(Meter(Clock()))
    seen = [lines.line(at(done, 1000)) for done in (0, 50, 100, 150, 399, 400)]
    assert seen == [
        None,
        None,
        "10 %: 100 MB of 1.0 GB",
        None,
        "30 %: 399 MB of 1.0 GB",
        "40 %: 400 MB of 1.0 GB",
    ]
    ends = [lines.line(at(1000, 1000, phase)) for phase in (WAITING, VERIFYING, VERIFYING, ADDING)]
    assert ends == [None, "Verifying ...", None, "Adding ..."]


def test_pipe_has_lines_if_the_size_is_unknown() -> None:
    """Each half gigabyte."""
    lines = ProgressLines(Meter(Clock()))
    assert [lines.line(at(done, None)) for done in (100, 500, 600)] == [None, "500 MB", None]


def test_end_of_a_long_name_is_kept() -> None:
    """It has the quantization."""
    name = shortened("Q8/a-model-with-a-very-long-name-Q8_0-00001-of-00002.gguf")
    assert len(name) == 24
    assert name.endswith("00001-of-00002.gguf")


def test_pipe_gets_lines_even_with_forced_colours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log of a build has no control sequences of a progress bar."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    with pull_progress() as on_progress:
        on_progress(at(2350))
    assert capsys.readouterr().err == "50 %: 2.4 of 4.7 GB\n"
