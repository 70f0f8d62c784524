"""One environment for each client: a venv or an npm prefix, made once and reused while its pins are the same.

Whatever goes wrong here is no fault of gglib: an environment that cannot be made has a reason, and the run goes on.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

PIP_TOGETHER = 2
"""Environments made at the same time: installing is as much computing as downloading."""
STAMP = "pins.json"
MAX_REASON = 160
OVER = "the time for installing was over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The packages of one client. ``packages`` are pinned: ``name==version`` (pip), ``name@version`` (npm)."""

    name: str
    installer: Literal["pip", "npm"]
    packages: tuple[str, ...]

    def stamp(self) -> str:
        """Return what the environment depends on, as text; another text means that it is made anew."""
        facts: dict[str, object] = {"installer": self.installer, "packages": self.packages}
        if self.installer == "pip":
            facts["python"] = sys.version.split()[0]
        return json.dumps(facts, sort_keys=True)

    def version(self, package: str = "") -> str:
        """Return the pinned version of a package; without a name of the first one: the client's own."""
        pins = [pin for pin in self.packages if pin.startswith((f"{package}==", f"{package}@"))]
        return version_of(pins[0] if package else self.packages[0])

    def python(self, directory: Path) -> Path:
        """Return the interpreter of a venv."""
        return directory / self.name / "bin" / "python"

    def binary(self, directory: Path, name: str) -> Path:
        """Return the path of a command that the packages install."""
        inside = "bin" if self.installer == "pip" else "node_modules/.bin"
        return directory / self.name / inside / name

    def commands(self, directory: Path) -> list[list[str]]:
        """Return the command lines that make the environment in ``directory/name``, an empty directory."""
        target = str(directory / self.name)
        if self.installer == "npm":
            quiet = ("--no-audit", "--no-fund", "--loglevel=error")
            return [["npm", "install", "--prefix", target, "--save-exact", *quiet, *self.packages]]
        pip = [str(self.python(directory)), "-m", "pip", "--disable-pip-version-check"]
        # Without compiling: an import compiles only what it needs.
        install = [*pip, "install", "--quiet", "--no-compile", "--prefer-binary"]
        return [[sys.executable, "-m", "venv", target], [*install, *self.packages]]


def version_of(package: str) -> str:
    """Return the version in a pin. Raises ``ValueError`` for a package without one."""
    name, separator, version = package.rpartition("==") if "==" in package else package.rpartition("@")
    if not (name and separator and version):
        raise ValueError(f"{package!r} is not pinned")
    return version


@dataclass(frozen=True, slots=True)
class Made:
    """The result of making an environment: ready, or the reason why it is not."""

    name: str
    seconds: float
    reason: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether programs can run in it."""
        return not self.reason


RunCommand = Callable[[Sequence[str], float, Path], str]
"""Runs a command with a timeout in seconds and a log file, and returns the reason of its failure or ``""``."""


def run_logged(command: Sequence[str], timeout_s: float, log: Path) -> str:
    """Run a command in a process group of its own; the group is killed when the time is over."""
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_clean_environment(os.environ),
            )
        except OSError as error:
            return f"{command[0]}: {error.strerror}"
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return f"took longer than {timeout_s:.0f} s"
        finally:
            kill_group(process)
    return "" if code == 0 else last_error(log.read_text(errors="replace")) or f"exit code {code}"


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill what is left of a process group, and reap its leader."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would change which Python packages are seen."""
    return {name: value for name, value in environment.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def last_error(log: str) -> str:
    """Return what an installer's log says of the failure: pip's last error, npm's first ones, else the last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    of_pip = [line for line in lines if line.startswith("ERROR")]
    of_npm = [
        line for line in lines if line.startswith("npm error") and "_logs" not in line and ".log" not in line
    ]
    if of_pip:
        return of_pip[-1][:MAX_REASON]
    return ("; ".join(of_npm[:2]) or "".join(lines[-1:]))[:MAX_REASON]


@dataclass(slots=True)
class Maker:
    """Makes environments below ``directory``. ``deadline_s`` is a time of ``clock``; none is begun after it."""

    directory: Path
    deadline_s: float
    each_s: float = 600.0
    run: RunCommand = run_logged
    clock: Callable[[], float] = time.monotonic
    on_made: Callable[[Made], None] = field(default=lambda _: None)

    def make_all(self, environments: Iterable[Environment]) -> dict[str, Made]:
        """Make all environments, ``PIP_TOGETHER`` at a time, in their order; return the results by name."""
        with ThreadPoolExecutor(PIP_TOGETHER) as pool:
            return {made.name: made for made in pool.map(self.make, environments)}

    def make(self, environment: Environment) -> Made:
        """Make one environment, or find it as an earlier run left it."""
        started_s = self.clock()
        reason = "" if self.is_made(environment) else self._make(environment)
        made = Made(environment.name, self.clock() - started_s, reason)
        self.on_made(made)
        return made

    def is_made(self, environment: Environment) -> bool:
        """Whether the environment exists with these pins; the stamp is written last."""
        stamp = self.directory / environment.name / STAMP
        return stamp.exists() and stamp.read_text() == environment.stamp()

    def _make(self, environment: Environment) -> str:
        target = self.directory / environment.name
        if self.clock() >= self.deadline_s:
            return OVER
        try:
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            log = self.directory / f"{environment.name}.log"
            log.write_bytes(b"")
            for command in environment.commands(self.directory):
                left_s = min(self.each_s, self.deadline_s - self.clock())
                if reason := self.run(command, max(left_s, 0.0), log):
                    return OVER if self.clock() >= self.deadline_s else reason
            (target / STAMP).write_text(environment.stamp())
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        return ""
