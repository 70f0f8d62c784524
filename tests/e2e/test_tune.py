"""``gglib tune`` with the real engine and a tiny model."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.conftest import Gglib
from tests.support.waiting import wait_until

LIMIT_S = 600.0
"""Of a tuning on a busy machine: four to six engines."""
TUNE = (
    *("tune", "tiny-a", "--ctx", "512", "--only", "batch", "--json"),
    *("--prompt-tokens", "300", "--tokens", "8", "--rounds", "3"),
)


@contextmanager
def started(gglib: Gglib, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a tuning for the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "gglib", *TUNE, *options],
        env=gglib.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_real_engines_are_measured(home: Gglib) -> None:
    """Each micro-batch, by the engine's own timings; a dry run changes nothing."""
    with started(home, "--dry-run") as process:
        shown, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    found = json.loads(shown)
    assert [row["tried"] for row in found["rows"][:3]] == [
        "current settings",
        "--ubatch-size 128",
        "--ubatch-size 256",
    ]
    for row in found["rows"]:
        assert min(row["prompt_per_s"], row["generated_per_s"], row["turn_s"]) > 0
    assert found["engine_args_before"] == ["--threads", "1"]
    assert json.loads(home.command("show", "tiny-a", "--json"))["engine_args"] == ["--threads", "1"]
    assert home.engines() == []


def test_an_interrupted_tuning_leaves_no_engine_and_no_change(home: Gglib) -> None:
    """With Ctrl-C, while an engine computes."""
    with started(home, "--rounds", "100000") as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("1 of about 3")
        wait_until(lambda: (home.home / "run/tuning").is_dir() and bool(home.engines()))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert home.engines() == []
    assert json.loads(home.command("show", "tiny-a", "--json"))["engine_args"] == ["--threads", "1"]
