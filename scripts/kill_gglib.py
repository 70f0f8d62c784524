"""Kills ``gglib serve`` with -9 repeatedly while a model runs, and counts the engines that are still alive 2 s later.

The long version of ``tests/e2e/test_faults.py::test_kill_9_of_gglib_leaves_no_engine``. Linux only: it reads ``/proc``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from gglib.testing import write_tiny_gguf

LIMIT_S = 30.0
GONE_WITHIN_S = 2.0


def main() -> None:
    """Print one line per round and the total; the exit code is 1 if an engine was left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        environment = {**os.environ, "GGLIB_HOME": str(home)}
        model = write_tiny_gguf(home / "tiny.gguf")
        add = [sys.executable, "-m", "gglib", "add", str(model), "--name", "tiny"]
        subprocess.run(add, env=environment, check=True, stdout=subprocess.DEVNULL)
        times_s = [kill_once(home, environment) for _ in range(rounds)]
    in_time = [time_s for time_s in times_s if time_s is not None]
    print(
        f"{len(in_time)} of {rounds} engines gone within {GONE_WITHIN_S:.0f} s; slowest {max(in_time, default=0):.3f} s"
    )
    sys.exit(len(in_time) != rounds)


def kill_once(home: Path, environment: dict[str, str]) -> float | None:
    """Return how long the engine outlived gglib, in seconds; None if it was still alive after 2 s."""
    command = [sys.executable, "-m", "gglib", "serve", "--port", "0"]
    serving = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert serving.stdout is not None
    url = serving.stdout.readline().split()[-1]
    body = {"model": "tiny", "max_tokens": 2, "messages": [{"role": "user", "content": "Hi"}]}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode())  # noqa: S310
    urllib.request.urlopen(request, timeout=LIMIT_S).read()  # noqa: S310
    engines = engines_of(home)
    assert len(engines) == 1, engines
    serving.kill()
    killed_at = time.monotonic()
    serving.communicate()
    while engines_of(home):
        if time.monotonic() - killed_at > GONE_WITHIN_S:
            return None
        time.sleep(0.005)
    return time.monotonic() - killed_at


def engines_of(home: Path) -> list[int]:
    """Return the pids of processes that were started with a file from this home's run directory."""
    mark = str(home / "run").encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if mark in words:
            found.append(int(path.parent.name))
    return found


if __name__ == "__main__":
    main()
