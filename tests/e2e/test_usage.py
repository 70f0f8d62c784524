"""The usage of a server equals what its responses report, with the real engine."""

import subprocess
import sys

from tests.e2e.conftest import Gglib


def test_usage_equals_what_clients_were_told() -> None:
    """Of mixed requests in three dialects: each kind of ``bench.usage_check`` about four times, to the token."""
    command = [
        sys.executable,
        "-m",
        "bench.usage_check",
        "--requests",
        "176",
        "--concurrency",
        "8",
        "--engine",
        Gglib.engine,
        "--kinds",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
