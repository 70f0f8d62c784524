"""The diagrams of the docs agree with the tables in the code (``make diagrams``)."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "state_diagrams.py"


def test_diagrams_are_up_to_date() -> None:
    """A table that changed is drawn again."""
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], check=False, timeout=60)
    assert done.returncode == 0, "run 'make diagrams'"
