"""A home with 10,000 models beside one with 10: commands, routes and names, as ratios.

``python -m bench.many_models --output bench/results/many-models.md``. Both homes have real files and the scripted
engine; each figure is the median of rounds in which the two homes take turns. Linux only: memory is from ``/proc``.
"""

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gglib.core.models import GgufFacts, ModelCapabilities, ModelSource, NewModel
from gglib.db.connections import prepare, writing
from gglib.db.home_paths import HomePaths
from gglib.db.rows import insert_model
from gglib.testing import Script, install_scripted_server, write_tiny_gguf

FEW = 10
ARCHITECTURES = ("llama", "qwen3", "gemma3", "phi3")
QUANTIZATIONS = ("Q4_K_M", "Q8_0", "F16")


@dataclass(slots=True)
class Home:
    """A home with models."""

    path: Path
    models: int
    address: str = ""
    pid: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of its commands."""
        return {**os.environ, "GGLIB_HOME": str(self.path)}

    @property
    def last(self) -> str:
        """Return the name of its last model."""
        return name_of(self.models - 1)


def name_of(number: int) -> str:
    """Return the name of a model."""
    return f"org{number % 50}/Model-{number}:{QUANTIZATIONS[number % 3]}"


def create(path: Path, models: int) -> Home:
    """Create a home with copies of one small file, and rows as ``gglib add`` and ``pull`` write them."""
    (path / "models").mkdir(parents=True)
    engine = install_scripted_server(path / "bin", Script())
    (path / "config.toml").write_text(f'engine = "{engine}"\nport = 0\n', encoding="utf-8")
    content = write_tiny_gguf(path / "original.gguf").read_bytes()
    prepare(path / "gglib.db")
    with writing(path / "gglib.db") as connection:
        for number in range(models):
            file = path / "models" / f"model-{number}.gguf"
            file.write_bytes(content)
            # Later than the files, which have the recorded size: otherwise their headers are read again.
            insert_model(connection, HomePaths(path), new_model(number, file), added_at=int(time.time()) + 60)
    return Home(path, models)


def new_model(number: int, file: Path) -> NewModel:
    """Return a typical model."""
    quantization = QUANTIZATIONS[number % 3]
    return NewModel(
        name=name_of(number),
        aliases=(f"alias-{number}",),
        tags=("bench", f"group{number % 20}"),
        paths=(file,),
        size_bytes=file.stat().st_size,
        facts=GgufFacts(
            architecture=ARCHITECTURES[number % 4],
            parameter_count=8_000_000_000,
            quantization=quantization,
            trained_context=32_768,
            block_count=32,
            capabilities=ModelCapabilities(chat=True, tools=number % 2 == 0),
        ),
        source=ModelSource(origin="hub", repo=f"org{number % 50}/Model-{number}-GGUF", file=file.name),
    )


@contextmanager
def serving(home: Home) -> Iterator[None]:
    """Run ``gglib serve`` in the home during the block."""
    server = subprocess.Popen(
        (sys.executable, "-m", "gglib", "serve"),
        env=home.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        home.address = urlsplit(server.stdout.readline().split()[-1]).netloc
        home.pid = server.pid
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def command(home: Home, *arguments: str) -> int:
    """Run a command and return the size of its output."""
    done = subprocess.run(
        (sys.executable, "-m", "gglib", *arguments), env=home.environment, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return len(done.stdout)


def get(home: Home, path: str) -> int:
    """Send a GET request on a new connection and return the size of its response."""
    return len(send(home, "GET", path))


def chat(home: Home, model: str) -> int:
    """Send a chat and return the size of its response."""
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
    return len(send(home, "POST", "/v1/chat/completions", json.dumps(body).encode()))


def send(home: Home, method: str, path: str, body: bytes | None = None) -> bytes:
    """Send a request on a new connection and return the body of its response."""
    connection = http.client.HTTPConnection(home.address, timeout=120)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        assert response.status == 200, content
        return content
    finally:
        connection.close()


CASES: tuple[tuple[str, Callable[[Home], int]], ...] = (
    ("`gglib list`", lambda home: command(home, "list")),
    ("`gglib list --json`", lambda home: command(home, "list", "--json")),
    ("`gglib show M`", lambda home: command(home, "show", home.last)),
    ("`gglib set M --ctx 4096`", lambda home: command(home, "set", home.last, "--ctx", "4096")),
    ("`gglib ps`", lambda home: command(home, "ps")),
    ("`gglib doctor --json`", lambda home: command(home, "doctor", "--json")),
    ("TAB after `gglib run `", lambda home: command(home, "__complete", "zsh", "gglib", "run", "")),
    ("TAB after `gglib run org7/`", lambda home: command(home, "__complete", "zsh", "gglib", "run", "org7/")),
    ("`GET /v1/models`", lambda home: get(home, "/v1/models")),
    ("`GET /gglib/models` (the page)", lambda home: get(home, "/gglib/models")),
    ("`GET /gglib/status`", lambda home: get(home, "/gglib/status")),
    ("`GET /v1/models/{id}`", lambda home: get(home, f"/v1/models/{home.last.replace('/', '%2F')}")),
    ("a chat, loaded model", lambda home: chat(home, home.last)),
    ("a chat, by alias", lambda home: chat(home, f"alias-{home.models - 1}")),
    ("`GET /health`", lambda home: get(home, "/health")),
)


def time_s(work: Callable[[Home], int], home: Home) -> tuple[float, int]:
    """Return how long the work takes, in seconds, and the size of its result."""
    started_s = time.perf_counter()
    size = work(home)
    return time.perf_counter() - started_s, size


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kib) * 1024 / 1e6


def measure(few: Home, many: Home, rounds: int, only: str) -> list[str]:
    """Return the lines of the table, of the cases whose titles contain ``only``."""
    lines = [
        f"| | {few.models} models, ms | {many.models:,} models, ms | ratio | KB |",
        "|---|---:|---:|---:|---:|",
    ]
    for title, work in (case for case in CASES if only in case[0]):
        times: dict[int, list[float]] = {few.models: [], many.models: []}
        size = 0
        for number in range(rounds + 1):
            for home in (few, many) if number % 2 else (many, few):
                elapsed_s, size = time_s(work, home)
                if number:  # the first one loads files and models
                    times[home.models].append(elapsed_s * 1000)
                if home is many:
                    many_size = size
        before, after = statistics.median(times[few.models]), statistics.median(times[many.models])
        lines.append(
            f"| {title} | {before:.1f} | {after:.1f} | {after / before:.1f} | {many_size / 1000:.0f} |"
        )
        print(lines[-1], flush=True)
    before, after = resident_mb(few.pid), resident_mb(many.pid)
    lines.append(f"| memory of the server, MB | {before:.0f} | {after:.0f} | {after / before:.1f} | |")
    print(lines[-1])
    return lines


def main() -> None:
    """Measure both homes; print the table, and write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="measure only cases with this text in their title")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-many-")))
        few, many = create(root / "few", FEW), create(root / "many", options.models)
        stack.enter_context(serving(few))
        stack.enter_context(serving(many))
        lines = measure(few, many, options.rounds, options.only)
    if options.output is not None:
        note = (
            f"Medians of {options.rounds} rounds in which both homes take turns, on {os.cpu_count()} processors; "
            "KB is the output with many models.\nCommands include the start of Python. "
            f"Made by `python -m bench.many_models --models {options.models}`."
        )
        options.output.write_text(f"# Many models\n\n{note}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
