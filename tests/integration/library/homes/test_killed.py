"""The migration of an older home, killed midway: the next open completes it with the same result."""

import json
import os
import subprocess
import sys
from pathlib import Path

EVERY = 12
"""About 110 calls change files; the test kills before every twelfth, a manual run before each."""
ROOT = Path(__file__).resolve().parents[4]


def test_killed_anywhere_the_next_open_ends_it(tmp_path: Path) -> None:
    """No row is wrong, no file is lost, and no leftovers remain."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.library.homes.killed", str(tmp_path), str(EVERY)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["calls"] > 50
    assert len(results["killed"]) == len(range(1, results["calls"] + 1, EVERY))
    wrong = {at for at, seen in results["killed"].items() if seen != results["undisturbed"]}
    assert wrong == set()
