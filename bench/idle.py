"""The cost of an idle gglib: memory, ``gglib --help``, and ``/v1/models`` with 500 models.

Medians of several runs, printed. Linux only: memory is read from ``/proc``.
"""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from gglib.core.models import GgufFacts, NewModel
from gglib.db.connections import prepare, writing
from gglib.db.home_paths import HomePaths
from gglib.db.rows import insert_model


def main() -> None:
    """Print the three figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    help_s = [time_help_s() for _ in range(options.rounds)]
    print(f"gglib --help: {statistics.median(help_s) * 1000:.0f} ms (median of {options.rounds})")
    with tempfile.TemporaryDirectory() as directory:
        measure_server(Path(directory), options.models)


def time_help_s() -> float:
    """Return how long one ``gglib --help`` takes, in seconds."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "gglib", "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def measure_server(home: Path, models: int) -> None:
    """Serve a catalogue of ``models`` models and print the memory and the latency."""
    fill(home / "gglib.db", models)
    environment = {**os.environ, "GGLIB_HOME": str(home)}
    command = [sys.executable, "-m", "gglib", "serve", "--port", "0"]
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout is not None
    try:
        address = urlsplit(server.stdout.readline().split()[-1]).netloc
        get(address, "/health")
        print(f"idle without a model: {resident_mb(server.pid):.1f} MB resident")
        times_s = [get(address, "/v1/models") for _ in range(200)]
        print(f"/v1/models with {models} models: {statistics.median(times_s) * 1000:.2f} ms (median of 200)")
        floor_s = statistics.median(get(address, "/health") for _ in range(200))
        print(f"  cheapest request of all, /health: {floor_s * 1000:.2f} ms")
        print(f"after that: {resident_mb(server.pid):.1f} MB resident")
    finally:
        server.terminate()
        server.communicate()


def fill(path: Path, models: int) -> None:
    """Write a catalogue."""
    prepare(path)
    with writing(path) as connection:
        for number in range(models):
            new = NewModel(
                name=f"org/model-{number}:Q4_K_M",
                aliases=(f"alias-{number}",),
                paths=(Path(f"/models/{number}.gguf"),),
                size_bytes=4_000_000_000,
                facts=GgufFacts(architecture="llama", trained_context=131_072),
            )
            insert_model(connection, HomePaths(path.parent), new, added_at=number)


def get(address: str, path: str) -> float:
    """Return the time of one request on a new connection, in seconds."""
    connection = http.client.HTTPConnection(address, timeout=5)
    started = time.perf_counter()
    connection.request("GET", path)
    connection.getresponse().read()
    elapsed_s = time.perf_counter() - started
    connection.close()
    return elapsed_s


def resident_mb(pid: int) -> float:
    """Return a process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
