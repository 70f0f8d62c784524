"""A few rounds of the script that kills downloads, and a check that the script detects faults."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/kill_pulls.py"


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the script and return the finished process."""
    command = [sys.executable, str(SCRIPT), "--size-mb", "30", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_killed_downloads_leave_no_wrong_file_and_fetch_nothing_twice() -> None:
    """Ten kills; two hundred by hand."""
    ended = run("--kills", "10")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "10 kills" in ended.stdout
    assert " 0 problems" in ended.stdout


@pytest.mark.parametrize("fault", ["--lazy"])
def test_the_script_notices_bytes_that_are_not_noted(fault: str) -> None:
    """A download that records only every eighth block fails the script."""
    ended = run("--kills", "4", fault)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "not noted" in ended.stdout
