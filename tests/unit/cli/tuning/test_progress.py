"""The progress of a tuning."""

from gglib.app.tuning.trial_log import Progress
from gglib.cli.tuning.progress import RemainingTime, progress_text


def test_the_remaining_time_follows_from_the_launches_so_far() -> None:
    """It is unknown during the first one."""
    now_s = [100.0]
    remaining = RemainingTime(lambda: now_s[0])
    assert remaining.left_s(Progress(label="a", number=1, expected=5)) is None
    now_s[0] = 130.0
    assert remaining.left_s(Progress(label="b", number=3, expected=5)) == 45.0


def test_the_text_says_what_is_measured() -> None:
    """And how long it takes."""
    progress = Progress(label="--threads 4", number=3, expected=12)
    first = Progress(label="current settings", number=1, expected=12)
    assert progress_text(first, None) == (
        "1 of about 12: current settings (how long all of it takes is known after this)"
    )
    assert progress_text(progress, 125) == "3 of about 12: --threads 4 (about 2 min left)"
