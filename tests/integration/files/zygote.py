"""Commands in separate processes that start immediately: forked from one process that has imported everything.

Tests and scripts use ``Zygote``; run as a program, this module is the fork server. It has one thread and no
event loop, so that its children start like a fresh ``gglib``. With the library of ``file_calls.c`` a child
can be killed at any of its calls that change files.
"""

import atexit
import contextlib
import ctypes
import importlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpcore2
from tests.support.tls_contexts import share_tls_contexts

import gglib

ROOT = Path(__file__).resolve().parents[3]
PYTHONPATH = os.pathsep.join([str(Path(gglib.__file__).resolve().parents[1]), str(ROOT)])
"""The tested package is the package that this process imported, wherever it is installed."""
START_S = 120.0
"""Time limit of a process; far above its usual duration, also on a busy machine."""
MODES = {"count": 0, "kill": 1, "half": 2, "stop": 3, "fail": 4}
"""The action at the call: none, SIGKILL before it, SIGKILL after half of a write, SIGSTOP, EACCES."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The result of a command; a negative code is a signal."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """The output on stdout and stderr."""
        return self.stdout + self.stderr


@dataclass(frozen=True, slots=True)
class Moment:
    """A call that changes files below ``root``, by its number from 1, and the action at that call."""

    root: Path
    number: int
    mode: str = "kill"
    log: Path | None = None
    """A log file with a line for each call."""


class Zygote:
    """The fork server, as a context manager. It runs one command at a time."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._library = _library(place)
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""
        self._count = 0

    @property
    def counts_calls(self) -> bool:
        """Whether there is a C compiler, which stopping commands at a call requires."""
        return self._library is not None

    def __enter__(self) -> Self:
        environment = dict(os.environ)
        environment["PYTHONPATH"] = PYTHONPATH
        if self._library is not None:
            environment["LD_PRELOAD"] = str(self._library)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.files.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], moment: Moment | None = None
    ) -> "Child":
        """Start a command; the previous command must have been waited for."""
        self._count += 1
        outputs = [self._place / f"{name}-{self._count}" for name in ("stdout", "stderr")]
        order: dict[str, Any] = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "stdout": str(outputs[0]),
            "stderr": str(outputs[1]),
        }
        if moment is not None:
            order["moment"] = {
                "root": str(moment.root),
                "number": moment.number,
                "mode": MODES[moment.mode],
                "log": None if moment.log is None else str(moment.log),
            }
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        pid = self.read(START_S)
        assert pid is not None, "the process that forks is silent"
        return Child(self, pid, outputs)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], moment: Moment | None = None
    ) -> Ended:
        """Run a command until it exits."""
        child = self.start(arguments, environment, moment)
        stdout, stderr = child.communicate(START_S)
        assert child.returncode is not None
        return Ended(child.returncode, stdout, stderr)

    def read(self, timeout_s: float) -> int | None:
        """Return the next number that the process prints, or None after the timeout."""
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._said:
            left_s = max(0.0, deadline - time.monotonic())
            if not select.select([self._process.stdout], [], [], left_s)[0]:
                return None
            more = os.read(self._process.stdout.fileno(), 4096)
            assert more, "the process that forks is gone"
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        return int(line)


class Child:
    """A running command, with the used part of the interface of ``subprocess.Popen``."""

    def __init__(self, zygote: Zygote, pid: int, outputs: Sequence[Path]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.on_end: Callable[[], None] = lambda: None
        self._zygote = zygote
        self._outputs = outputs

    def poll(self) -> int | None:
        """Return the exit code, or None while the command runs."""
        return self._ended(0.0)

    def communicate(self, timeout: float = 60.0) -> tuple[str, str]:
        """Wait for the command to exit and return its output. Raises ``subprocess.TimeoutExpired``."""
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        stdout, stderr = (
            path.read_text(errors="replace") if path.exists() else ""  # killed before it had any output
            for path in self._outputs
        )
        return stdout, stderr

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the command has exited."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout_s: float) -> int | None:
        if self.returncode is None:
            self.returncode = self._zygote.read(timeout_s)
            if self.returncode is not None:
                self.on_end()
        return self.returncode


class Zygotes:
    """A pool of fork servers, one for each concurrent command; idle ones are reused."""

    def __init__(self) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="gg-z-"))
        self._idle: list[Zygote] = []
        self._all: list[Zygote] = []
        self._lock = threading.Lock()
        atexit.register(self.close)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start a command."""
        with self._lock:
            zygote = self._idle.pop() if self._idle else self._new()
        child = zygote.start(arguments, environment)
        child.on_end = lambda: self._idle.append(zygote)
        return child

    def close(self) -> None:
        """Stop all fork servers."""
        for zygote in self._all:
            zygote.__exit__()
        shutil.rmtree(self._place, ignore_errors=True)

    def _new(self) -> Zygote:
        place = self._place / str(len(self._all))
        place.mkdir()
        zygote = Zygote(place).__enter__()
        self._all.append(zygote)
        return zygote


def _library(place: Path) -> Path | None:
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    library = place / "file_calls.so"
    if not library.exists():
        source = Path(__file__).with_name("file_calls.c")
        done = subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"],
            check=False,
            capture_output=True,
        )
        if done.returncode:
            return None
    return library


def main() -> None:
    """Fork a child for each order; print its process id and its exit code."""
    import gglib.app.models.catalog
    import gglib.app.models.hub
    import gglib.app.models.library
    import gglib.app.models.prune
    import gglib.app.models.pulls
    import gglib.cli.app
    import gglib.cli.pull.run
    from gglib.cli.command_names import COMMANDS

    for command in COMMANDS:
        gglib.cli.app.cli.get_command(None, command)  # type: ignore[arg-type] # only the name is read
    importlib.import_module("gglib.hf.session")  # imported lazily by hub requests
    share_tls_contexts()
    httpcore2.default_ssl_context()  # the children inherit it
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _be_gglib(order)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _be_gglib(order: Mapping[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["environment"])
    for descriptor, name in ((0, os.devnull), (1, order["stdout"]), (2, order["stderr"])):
        opened = os.open(name, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if descriptor else 0))
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the orders were read from the former ``sys.stdin``
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        sys.argv = ["gglib", *order["arguments"]]
        from gglib.cli import main as gglib_main

        moment = order.get("moment")
        if moment is not None:
            log = (
                -1 if moment["log"] is None else os.open(moment["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            )
            root = moment["root"]
            ctypes.CDLL(None).file_calls_arm(
                os.fsencode(root), os.fsencode(f"{root}/logs"), moment["number"], moment["mode"], log
            )
        gglib_main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1 if error.code else 0
    except BaseException:  # noqa: BLE001 - the end of the process
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
