"""A few rounds of the kill and storm scripts; run by hand they do all rounds."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(1300)
SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


def run(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a script and return the finished process."""
    command = [sys.executable, str(SCRIPTS / script), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)


@pytest.mark.skipif(
    shutil.which("cc") is None or sys.platform != "linux", reason="needs Linux and a C compiler"
)
@pytest.mark.parametrize("scenario", ["fresh pull", "update", "discard", "rm", "migration"])
def test_a_kill_at_a_call_leaves_nothing_wrong(scenario: str) -> None:
    """Every 23rd call that changes a file; all of them by hand."""
    ended = run("kill_file_calls.py", "--only", scenario, "--every", "23", "--offset", "11", "--jobs", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " 0 problems" in ended.stdout
    assert " 0 kills" not in ended.stdout


def test_a_storm_of_processes_loses_nothing() -> None:
    """Ten seconds; a minute by hand."""
    ended = run("storm_files.py", "--seconds", "10", "--workers", "4")
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "fault",
    [
        "counts as gglib's",
        "is not recorded before its first byte",
        "loses the names that were given",
    ],
)
def test_what_is_broken_on_purpose_is_noticed(fault: str) -> None:
    """A few of the faults of ``file_faults.toml``; all of them by hand."""
    ended = run("break_files.py", "--only", fault, "--examples", "200")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 of 1 faults noticed" in ended.stdout


@pytest.mark.parametrize("seed", range(1, 11))
def test_five_hundred_sequences_hold(seed: int) -> None:
    """Fifty for each seed, in parallel; 20,000 by hand."""
    options = ("--sequences", "50", "--steps", "5", "--jobs", "1", "--seed", str(seed))
    ended = run("check_files.py", *options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
