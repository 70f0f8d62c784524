"""The cost of a swap through gglib, compared with the bare engine in one run: ``python -m bench.swap``.

Uses two copies of a real model, so that each has its own, warm page cache. In each round all sides swap in the same
direction (A to B, then B to A), one after the other in rotating order, so that noise affects all:

- bare: SIGTERM to the engine's process, its exit, start of the other one, ``/health`` polled every 2 ms until it
  returns 200, then a streaming chat request to the first byte of its body. The process is the embedded engine, run with
  the command and the parameters that gglib would use.
- gglib: ``gglib serve`` with the one model resident and idle; the same request for the other one, to the first byte.

Linux only. It downloads the starter model as ``gglib up`` does, if it is not cached yet.
"""

import argparse
import asyncio
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

from gglib.core.models import ModelLaunchSpec, ModelSettings, NewModel
from gglib.db import SqliteCatalog
from gglib.gguf import read_gguf
from gglib.library.starter import SMOLLM2, fetch_starter
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.engines.llama_cpp import embedded_main
from gglib.runtime.engines.llama_cpp.engine import OPTION_VARIABLES
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.runtime.environment import child_environment

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench/results/swap.md"
NAMES = ("model-a", "model-b")
CONTEXT = 2048
SLOTS = 4
CACHE_RAM_MIB = 1024
ENGINE_ARGS = ("--cache-ram", str(CACHE_RAM_MIB))
POLL_S = 0.002
SETTLE_S = 0.3
"""Pause between two swaps: background work of the previous one does not count for the next."""
LIMIT_S = 60.0
PROMPT = "Name three colours of the rainbow, and nothing else."


@dataclass(frozen=True, slots=True)
class BareSwap:
    """The parts of a swap without gglib, in milliseconds."""

    stop_ms: float
    start_ms: float
    first_byte_ms: float

    @property
    def total_ms(self) -> float:
        """The sum of all parts."""
        return self.stop_ms + self.start_ms + self.first_byte_ms


@dataclass(frozen=True, slots=True)
class Round:
    """The same swap on all sides."""

    bare: BareSwap
    as_it_comes: BareSwap
    """The engine with its default of fitting the model to the machine, which gglib disables without a GPU."""
    gglib_ms: float

    @property
    def overhead_ms(self) -> float:
        """The time that gglib adds to an engine that is launched as gglib launches it."""
        return self.gglib_ms - self.bare.total_ms

    @property
    def saved_ms(self) -> float:
        """The time that gglib's launch parameters save compared with the engine's defaults."""
        return self.as_it_comes.total_ms - self.gglib_ms


def main() -> None:
    """Measure, print the page and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, default=RESULT, help="file of the report")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swap-") as directory:
        rounds = asyncio.run(measure(Path(directory), options.rounds))
    text = page(rounds)
    print(text)
    options.output.write_text(text)


# --- the sides ---


async def measure(home: Path, count: int) -> list[Round]:
    """Return the rounds, after an uncounted warm-up round."""
    async with SqliteCatalog(home / "gglib.db") as catalog:
        specs = [await add(catalog, name, await starter(), home) for name in NAMES]
    with ExitStack() as stack:
        bares = {
            is_fitting: Bare(
                [
                    BareModel(spec, home / f"bare-{is_fitting}-{spec.model_id}", is_fitting=is_fitting)
                    for spec in specs
                ]
            )
            for is_fitting in (False, True)
        }
        for bare in bares.values():
            stack.callback(bare.stop)
            bare.start(0)
        address = stack.enter_context(served(home))
        first_byte_ms(lambda: http.client.HTTPConnection(address, timeout=LIMIT_S), NAMES[0])
        for target in (1, 0):
            swap_all(bares, address, target=target, first=0)
        # A to B and B to A, each with every side first.
        return [
            swap_all(bares, address, target=target, first=first)
            for target, first in islice(zip(cycle((1, 0)), cycle(range(3)), strict=False), count)
        ]


async def starter() -> Path:
    """Return the starter model's file, cached beside the sources."""
    cache = ROOT / ".cache/models"
    cache.mkdir(parents=True, exist_ok=True)
    return await fetch_starter(SMOLLM2, cache)


async def add(catalog: SqliteCatalog, name: str, file: Path, home: Path) -> ModelLaunchSpec:
    """Add a copy of the file to the catalogue and return its launch spec."""
    path = home / f"{name}.gguf"
    await asyncio.to_thread(shutil.copyfile, file, path)
    settings = ModelSettings(context=CONTEXT, engine_args=ENGINE_ARGS)
    facts = read_gguf(path)
    await catalog.add_model(
        NewModel(name=name, paths=(path,), size_bytes=path.stat().st_size, facts=facts, settings=settings)
    )
    spec = await catalog.resolve_for_launch(name)
    assert spec is not None
    return spec


class BareModel:
    """The command and files to run one model without gglib."""

    def __init__(self, spec: ModelLaunchSpec, directory: Path, *, is_fitting: bool) -> None:
        directory.mkdir(mode=0o700)
        self.name = spec.model_name
        self.socket_path = directory / "engine.sock"
        plan = LaunchPlan(
            spec=spec,
            context=CONTEXT,
            slots=SLOTS,
            cache_ram_mib=CACHE_RAM_MIB,
            ping_s=10,
            key_file=directory / "key",
            plan_file=directory / "plan.json",
            socket_path=self.socket_path,
        )
        plan.key_file.write_text("bench")
        EmbeddedEngine(reason="measured").command(plan)
        if is_fitting:
            told = json.loads(plan.plan_file.read_text())
            told["fields"]["fit_params"] = True
            plan.plan_file.write_text(json.dumps(told))
        # Run by its path, so that only this one file of gglib is imported.
        self.command = [sys.executable, "-I", embedded_main.__file__, str(plan.plan_file)]


class Bare:
    """The engine process of one model at a time."""

    def __init__(self, models: Sequence[BareModel]) -> None:
        self._models = models
        self._process: subprocess.Popen[bytes] | None = None

    def swap_to(self, index: int) -> BareSwap:
        """Swap, and request the first byte."""
        stop_ms = timed_ms(self.stop)
        start_ms = timed_ms(lambda: self.start(index))
        model = self._models[index]
        return BareSwap(
            stop_ms, start_ms, first_byte_ms(lambda: UnixConnection(model.socket_path), model.name)
        )

    def start(self, index: int) -> None:
        """Start a model and return when it is ready."""
        model = self._models[index]
        model.socket_path.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            model.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=child_environment(os.environ, dropped=OPTION_VARIABLES),
        )
        deadline = time.monotonic() + LIMIT_S
        while not is_healthy(model.socket_path):
            assert self._process.poll() is None, "the bare engine does not start"
            assert time.monotonic() < deadline, "the bare engine is not ready in time"
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop the process and wait for its exit."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate()
            self._process = None


WITHOUT_LLAMA_SERVER = {"PATH": "/nonexistent"}
"""A PATH without llama-server: gglib uses the embedded engine."""


@contextmanager
def served(home: Path, variables: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run ``gglib serve`` for the block and yield its address. ``variables`` replace those of this benchmark."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GGLIB_", "LLAMA_"))}
    if variables is None:
        variables = {**WITHOUT_LLAMA_SERVER, "GGLIB_SLOTS": str(SLOTS)}
    server = subprocess.Popen(
        [sys.executable, "-m", "gglib", "serve", "--port", "0"],
        env={**own, "GGLIB_HOME": str(home), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield urlsplit(server.stdout.readline().split()[-1]).netloc
    finally:
        server.terminate()
        server.communicate()


def swap_all(bares: dict[bool, Bare], address: str, *, target: int, first: int) -> Round:
    """Swap every side to the same model, starting with side ``first``."""
    swaps: dict[bool, BareSwap] = {}
    gglib_ms = 0.0
    sides: list[bool | None] = [False, True, None]
    for side in sides[first:] + sides[:first]:
        time.sleep(SETTLE_S)
        if side is None:
            gglib_ms = first_byte_ms(
                lambda: http.client.HTTPConnection(address, timeout=LIMIT_S), NAMES[target]
            )
        else:
            swaps[side] = bares[side].swap_to(target)
    return Round(swaps[False], swaps[True], gglib_ms)


# --- requests ---


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=LIMIT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def is_healthy(socket_path: Path) -> bool:
    """Whether an engine is ready. A minimal request: its cost would be taken from the engine's load."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(LIMIT_S)
        try:
            probe.connect(str(socket_path))
            probe.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return probe.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False


def first_byte_ms(connect: Callable[[], http.client.HTTPConnection], model: str) -> float:
    """Request a short streamed response on a new connection; return the time to the first byte of its body."""
    body = json.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": PROMPT}],
            "max_tokens": 4,
            "temperature": 0,
            "stream": True,
        }
    )
    headers = {"content-type": "application/json", "authorization": "Bearer bench"}
    started = time.perf_counter()
    connection = connect()
    connection.request("POST", "/v1/chat/completions", body, headers)
    response = connection.getresponse()
    first = response.read(1)
    elapsed_ms = (time.perf_counter() - started) * 1000
    answer = first + response.read()
    connection.close()
    assert response.status == 200, answer
    assert b"[DONE]" in answer, answer
    return elapsed_ms


def timed_ms(act: Callable[[], object]) -> float:
    """Return the duration of a call, in milliseconds."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


# --- the page ---

COLUMNS: dict[str, Callable[[Round], float]] = {
    "bare: stop": lambda r: r.bare.stop_ms,
    "bare: start to ready": lambda r: r.bare.start_ms,
    "bare: first byte": lambda r: r.bare.first_byte_ms,
    "bare in all": lambda r: r.bare.total_ms,
    "engine as it comes: start to ready": lambda r: r.as_it_comes.start_ms,
    "engine as it comes, in all": lambda r: r.as_it_comes.total_ms,
    "gglib: request to first byte": lambda r: r.gglib_ms,
    "**what gglib adds to bare, by round**": lambda r: r.overhead_ms,
    "**what it saves beside the engine as it comes**": lambda r: r.saved_ms,
}


def page(rounds: Sequence[Round]) -> str:
    """Return the report as Markdown."""
    lines = [
        "# What a swap costs",
        "",
        f"Measured by `python -m bench.swap` on {datetime.now(UTC):%Y-%m-%d}: {machine()}; {versions()}.",
        f"SmolLM2-135M (Q4_1, {SMOLLM2_MB:.0f} MB) twice, as two files; context {CONTEXT}, {SLOTS} slots, the",
        f"engine's own number of threads; page cache warm. {len(rounds)} rounds, in each of which all sides swap the",
        "same way, in turns first. Bare is the embedded engine, run by the command and with the parameters that gglib",
        "uses; as it comes, it also fits the model to the machine before the load, which changes nothing without a",
        "GPU. `/health` is asked every 2 ms. Through gglib it is one request for the model that is not resident.",
        "",
        "| ms | median | quartiles | least | most |",
        "|---|--:|--:|--:|--:|",
        *(row(name, [value(r) for r in rounds]) for name, value in COLUMNS.items()),
        "",
    ]
    return "\n".join(lines)


SMOLLM2_MB = SMOLLM2.file_size_bytes / 1e6


def row(name: str, values: Sequence[float]) -> str:
    """Return one line of the table."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"| {name} | {median:.0f} | {low:.0f} to {high:.0f} | {min(values):.0f} | {max(values):.0f} |"


def machine() -> str:
    """Return a description of the machine."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"a {os.cpu_count()}-core {platform.system()} virtual machine, {platform.machine()}, {memory_gb:.0f} GB"


def versions() -> str:
    """Return the versions of the measured programs."""
    return f"Python {platform.python_version()}, xllamacpp {version('xllamacpp')}, gglib {version('gglib')}"


if __name__ == "__main__":
    main()
