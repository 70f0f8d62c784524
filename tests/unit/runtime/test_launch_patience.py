"""The timeout of a load."""

from pathlib import Path

import pytest

from gglib.runtime.engines import LlamaServerEngine
from gglib.runtime.local.launch_config import LaunchConfig, load_deadline_s, start_timeout_s

GIB = 1024**3


@pytest.fixture
def config() -> LaunchConfig:
    """Return the defaults."""
    return LaunchConfig(
        engine=LlamaServerEngine(Path("/llama-server"), reason=""),
        engines_dir=Path("/e"),
        log_dir=Path("/l"),
        slots=4,
    )


def test_a_larger_file_may_take_longer(config: LaunchConfig) -> None:
    """Two minutes, and one for each 1.2 GB."""
    assert start_timeout_s(0, config) == 120
    assert start_timeout_s(40 * GIB, config) == pytest.approx(120 + 2048)


def test_a_silent_load_ends_at_the_start_timeout(config: LaunchConfig) -> None:
    """Log lines of the first minute do not extend it."""
    assert load_deadline_s(0, 0.0, config) == 120
    assert load_deadline_s(0, 60.0, config) == 120


def test_a_load_with_log_progress_continues(config: LaunchConfig) -> None:
    """Until a minute after the last line, and at most five start timeouts."""
    assert load_deadline_s(0, 110.0, config) == 170
    assert load_deadline_s(0, 590.0, config) == 600
