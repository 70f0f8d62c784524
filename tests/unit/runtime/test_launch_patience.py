"""How long a load is waited for."""

from pathlib import Path

import pytest

from gglib.runtime.engines import LlamaServerEngine
from gglib.runtime.local.launch import LaunchConfig, load_deadline_s, start_timeout_s

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


def test_a_silent_load_is_given_up_at_the_start_timeout(config: LaunchConfig) -> None:
    """What the log said in the first minute does not count for more."""
    assert load_deadline_s(0, 0.0, config) == 120
    assert load_deadline_s(0, 60.0, config) == 120


def test_a_load_that_goes_on_in_the_log_goes_on(config: LaunchConfig) -> None:
    """Until a minute after the last line, and no longer than five start timeouts."""
    assert load_deadline_s(0, 110.0, config) == 170
    assert load_deadline_s(0, 590.0, config) == 600
