"""The diagrams of the docs agree with the tables in the code (``make diagrams``)."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_diagrams_are_up_to_date() -> None:
    """A table that changed is drawn again."""
    command = [sys.executable, "-m", "scripts.state_diagrams", "--check"]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0, "run 'make diagrams'"
