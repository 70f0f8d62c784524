"""gglib as a user has it: the real program, the real engine, real models. Nothing is faked here."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from gglib.runtime.instance import running_instance
from gglib.starter import SMOLLM2, fetch_starter
from gglib.testing import write_tiny_gguf

CACHE = Path(__file__).parents[2] / ".cache" / "models"
LIMIT_S = 30.0


class Gglib:
    """One home with two tiny models, and the ``gglib serve`` that runs on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        # One thread each: several would wait for one another by spinning, which takes a model this small 100 times as
        # long on a machine that has other things to do.
        for seed, name in enumerate(("tiny-a", "Tiny-B")):
            path = write_tiny_gguf(home / "files" / f"{name}.gguf", name=name, seed=seed)
            alias = f"alias-{name[-1].lower()}"
            self.command("add", str(path), "--name", name, "--alias", alias, "--engine-args", "--threads 1")

    @property
    def environment(self) -> dict[str, str]:
        """This process's, with a home of its own and whatever engine a plain install has."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("GGLIB_", "LLAMA_"))}
        return {**own, "GGLIB_HOME": str(self.home)}

    def command(self, *arguments: str) -> str:
        """Run a gglib command that has to succeed, and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "gglib", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def serve(self, *arguments: str) -> "Gglib":
        """Start serving on a free port and return when it answers."""
        with (self.home / "serve.out").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gglib", "serve", "--port", "0", *arguments],
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
        """Whether the serving process has said where it answers."""
        instance = running_instance(self.home / "run")
        self.url = (instance and instance.url) or ""
        return (
            instance is not None
            and self.process is not None
            and instance.pid == self.process.pid
            and bool(self.url)
        )

    def answers_health(self) -> bool:
        """Whether the proxy is there."""
        try:
            return httpx2.get(f"{self.url}/health", trust_env=False).status_code == 200
        except httpx2.TransportError:
            return False

    def stop(self, number: int = signal.SIGINT) -> int:
        """End the serving process and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(LIMIT_S)

    def engines(self) -> list[int]:
        """Return the pids of engine processes of this home: those that were told a plan in its run directory."""
        mark = str(self.home / "run").encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes()
            except OSError:
                continue
            if mark in words:
                found.append(int(path.parent.name))
        return found

    def wait_until(self, is_true: Callable[[], bool], *, within_s: float = LIMIT_S) -> None:
        """Wait for what another process does."""
        deadline = time.monotonic() + within_s
        while not is_true():
            assert time.monotonic() < deadline, (self.home / "serve.out").read_text()[-3000:]
            time.sleep(0.02)

    def openai(self, **options: Any) -> OpenAI:
        """Return the official client, pointed here."""
        return OpenAI(base_url=f"{self.url}/v1", api_key="any", **options)

    def async_openai(self, **options: Any) -> AsyncOpenAI:
        """Return the official asynchronous client, pointed here."""
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key="any", **options)


def make_home(path: Path) -> Gglib:
    """Return a home with its models."""
    (path / "files").mkdir(parents=True)
    return Gglib(path)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Gglib]:
    """Give a home of its own; nothing of it may be left at the end."""
    gglib = make_home(tmp_path)
    yield gglib
    if gglib.process is not None:
        gglib.stop()
    assert gglib.engines() == []


@pytest.fixture(scope="module")
def gglib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gglib]:
    """Serve for all the tests of a module."""
    shared = make_home(tmp_path_factory.mktemp("home")).serve("--ctx", "4096")
    yield shared
    assert shared.stop() == 0
    assert shared.engines() == []


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Fetch a real instruct model as ``gglib up`` does; it is kept beside the sources."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return asyncio.run(fetch_starter(SMOLLM2, CACHE))
