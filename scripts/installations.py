"""Installations of the wheel by the tools that users have, each in an empty directory with an empty home."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import httpx2

STEP_LIMIT_S = 600
POLL_S = 0.05
PYTHON = Path(sys.executable).resolve()
"""The interpreter below any virtual environment."""
NOT_PASSED = ("GGLIB_", "PIPX_", "PYTHON", "UV_", "VIRTUAL_", "XDG_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """How a tool installs a wheel into an empty home. ``{place}`` in a command is the directory of this try."""

    name: str
    prepare: str | None = None
    """Makes an empty environment, where the tool does not."""
    install: str
    uninstall: str
    environment: str
    """What the installation fills, below the directory of this try."""
    program: str = "home/.local/bin/gglib"
    leaves: tuple[str, ...] = ()
    """Patterns of files that the tool itself leaves."""


TOOLS = (
    Tool(
        name="uv",
        install="uv tool install --python {python} {wheel}",
        uninstall="uv tool uninstall gglib",
        environment="home/.local/share/uv",
    ),
    Tool(
        name="pipx",
        prepare="pipx upgrade-shared",  # pip, which pipx has once for all programs
        install="pipx install --python {python} {wheel}",
        uninstall="pipx uninstall gglib",
        environment="home/.local/share/pipx",
        leaves=("home/.local/share/pipx/venvs/.gglib.lock", "home/.cache/pipx/*", "home/.local/state/pipx/*"),
    ),
    Tool(
        name="pip",
        prepare="{python} -m venv {place}/venv",
        install="{place}/venv/bin/python -m pip install {wheel}",
        uninstall="{place}/venv/bin/python -m pip uninstall --yes gglib",
        environment="venv",
        program="venv/bin/gglib",
    ),
)


class Try:
    """One installation in an empty directory, with caches that it shares with others."""

    def __init__(self, tool: Tool, wheel: Path, place: Path, caches: Path) -> None:
        self._tool, self._place = tool, place
        self._names = {"place": str(place), "python": str(PYTHON), "wheel": str(wheel)}
        self.environment = place / tool.environment
        self.home = place / "home"
        self.gglib_home = self.home / ".local" / "share" / "gglib"
        for directory in (self.home, place / "tmp"):
            directory.mkdir(parents=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED)}
        # Without other programs of this machine: pip runs rustc, for one, whose own files would be counted.
        directory_of_tool = Path(shutil.which(tool.name) or PYTHON).parent
        self._variables = kept | {
            "PATH": f"{directory_of_tool}{os.pathsep}{os.defpath}",
            "HOME": str(self.home),
            "TMPDIR": str(place / "tmp"),
            "PIP_CACHE_DIR": str(caches / "pip"),
            "UV_CACHE_DIR": str(caches / "uv"),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def prepare(self) -> float:
        """Make an empty environment; return its size in MB."""
        if self._tool.prepare is not None:
            self._run(self._tool.prepare)
        return size_mb(self.environment)

    def install(self) -> float:
        """Install gglib; return the seconds."""
        return self._run(self._tool.install)

    def version(self) -> float:
        """Run ``gglib --version``; return the seconds."""
        return self._timed([str(self._place / self._tool.program), "--version"])

    def uninstall(self) -> None:
        """Uninstall gglib."""
        self._run(self._tool.uninstall)

    def reply(self) -> float:
        """Run ``gglib up`` until a client has an answer, and stop it; return the seconds until then."""
        output = self._place / "up.out"
        started = time.monotonic()
        with output.open("wb") as log:
            process = subprocess.Popen(
                [self._place / self._tool.program, "up", "--yes", "--port", "0"],
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            ask(address(process, output))
            return time.monotonic() - started
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STEP_LIMIT_S)

    def left(self) -> list[str]:
        """Return what is left of gglib outside its home, as paths below the directory of this try.

        In the environment that are files named after it: with pip, its dependencies stay.
        """
        files = [
            path for top in ("home", "tmp") for path in (self._place / top).rglob("*") if not path.is_dir()
        ]
        outside = (
            path for path in files if not {self.gglib_home, self.environment}.intersection(path.parents)
        )
        inside = (path for path in self.environment.rglob("*") if "gglib" in path.name)
        names = {str(path.relative_to(self._place)) for path in (*outside, *inside)}
        return sorted(name for name in names if not any(fnmatch(name, own) for own in self._tool.leaves))

    def _run(self, command: str) -> float:
        return self._timed([word.format(**self._names) for word in command.split()])

    def _timed(self, argv: Sequence[str]) -> float:
        """Run a command; return the seconds. Raises ``CalledProcessError``, with the output printed."""
        started = time.monotonic()
        done = subprocess.run(
            argv,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=STEP_LIMIT_S,
        )
        if done.returncode != 0:
            print(done.stdout, file=sys.stderr)
        done.check_returncode()
        return time.monotonic() - started


def address(process: subprocess.Popen[bytes], output: Path) -> str:
    """Return the address that ``gglib up`` prints after its own test of the model. Raises RuntimeError."""
    deadline = time.monotonic() + STEP_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        shown = output.read_text(encoding="utf-8", errors="replace")
        found = re.search(r"http://127\.0\.0\.1:\d+", shown)
        if found and "Answer" in shown:
            return found[0]
        time.sleep(POLL_S)
    raise RuntimeError(f"gglib up did not get to an answer:\n{output.read_text(errors='replace')}")


def ask(url: str) -> None:
    """Send a chat request. Raises httpx2's errors, and RuntimeError for an empty answer."""
    body = {"model": "smollm2-135m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}
    response = httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=60, trust_env=False)
    if not response.raise_for_status().json()["choices"][0]["message"]["content"]:
        raise RuntimeError("The answer is empty.")


def size_mb(directory: Path) -> float:
    """Return the size of the files below a directory in MB; a file with several names counts once."""
    stats = [path.lstat() for path in directory.rglob("*") if path.is_symlink() or path.is_file()]
    return sum({(stat.st_dev, stat.st_ino): stat.st_size for stat in stats}.values()) / 1e6
