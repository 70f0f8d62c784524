"""Fixtures that run real gglib processes on a temporary home, with the scripted engine."""

import atexit
import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.preloaded import PreloadedProcess
from tests.support.waiting import LIMIT_S, is_alive

from gglib.cli.app import cli
from gglib.testing import Script, install_scripted_server, read_record, write_tiny_gguf

OWN_PROCESS = ("run", "up", "serve", "tune", "--home")
AS_STARTED = f"{shlex.quote(sys.executable)} -m gglib"
"""``python -m gglib`` in the messages of a process that was started so: see ``gglib.cli.help.hints``."""


@pytest.fixture(autouse=True)
def _new_hub_client() -> Iterator[None]:
    """Close the hub client of commands that ran in this process: it keeps the proxies of its first environment."""
    yield
    if (library := sys.modules.get("huggingface_hub")) is not None:
        library.close_session()


@cache
def installed_program() -> Path:
    """Return a program ``gglib`` in a directory of its own: on the PATH, its messages name it ``gglib``."""
    directory = Path(tempfile.mkdtemp(prefix="gg-bin-"))
    atexit.register(shutil.rmtree, directory)
    program = directory / "gglib"
    program.write_text(f"#!{sys.executable}\nfrom gglib.cli import main\nmain()\n")
    program.chmod(0o755)
    return program


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a finished command."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(slots=True)
class Running:
    """A gglib process in the foreground."""

    process: subprocess.Popen[str]
    url: str

    def end(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(LIMIT_S)


@dataclass(slots=True)
class Watched:
    """A command whose stderr is a terminal and whose stdout is a pipe."""

    process: subprocess.Popen[str]
    terminal: int
    seen: str = ""

    def read_until(self, words: str) -> None:
        """Read from the terminal until the text appears."""
        while words not in self.seen:
            assert self._read(), f"{words!r} is not in {self.seen!r}"

    def end(self) -> str:
        """Wait for the process to exit and return its stdout."""
        while self._read():
            pass
        printed, _ = self.process.communicate(timeout=LIMIT_S)
        assert self.process.returncode == 0, self.seen
        return printed

    def _read(self) -> bool:
        """Read the next bytes from the terminal; return False at its end."""
        ready, _, _ = select.select([self.terminal], [], [], LIMIT_S)
        assert ready, f"nothing more came after {self.seen!r}"
        try:
            content = os.read(self.terminal, 65536)
        except OSError:  # EIO: Linux, when the other end of the terminal is closed
            content = b""
        self.seen += content.decode(errors="replace")  # a read may end inside a character
        return bool(content)


@contextmanager
def hangups_are_heard() -> Iterator[None]:
    """Restore the default action of SIGHUP in the block, so that children do not inherit an ignored one (``nohup``)."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


class Home:
    """A home directory and the commands that run on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.variables: dict[str, str] = {}
        """Additional environment variables."""
        self.record = path / "record.jsonl"
        self.model_file = write_tiny_gguf(path / "tiny.gguf")
        self.script(Script())

    def script(self, script: Script) -> None:
        """Make the engine follow a script from its next start."""
        engine = install_scripted_server(self.path / "bin", replace(script, record=str(self.record)))
        (self.path / "config.toml").write_text(f'engine = "{engine}"\nport = 0\n', encoding="utf-8")

    def set(self, line: str) -> None:
        """Append a line to ``config.toml``."""
        with (self.path / "config.toml").open("a", encoding="utf-8") as config:
            config.write(f"{line}\n")

    @property
    def environment(self) -> dict[str, str]:
        """Environment of the commands; its HTTP proxy is unreachable, so a request that used the proxy would fail."""
        scrubbed = {key: value for key, value in os.environ.items() if not key.startswith("GGLIB_")}
        return scrubbed | {
            "GGLIB_HOME": str(self.path),
            "PATH": f"{installed_program().parent}:{os.environ['PATH']}",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "http_proxy": "http://127.0.0.1:9",
            **self.variables,
        }

    def run(self, *arguments: str, stdin: str = "") -> Done:
        """Run a command: in a separate process when it starts engines, else in this process, which is faster."""
        if arguments[0] in OWN_PROCESS:
            return self.process(*arguments, stdin=stdin)
        result = CliRunner().invoke(cli, list(arguments), input=stdin, env=self.environment)
        return Done(result.exit_code, result.stdout, result.stderr)

    def process(self, *arguments: str, stdin: str = "") -> Done:
        """Run a command in a separate process."""
        with PreloadedProcess(
            [installed_program(), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        ) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout=LIMIT_S)
            finally:
                process.kill()
        return Done(process.returncode, stdout, stderr)

    def ok(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must succeed and return its stdout."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """Run a command that must fail with one sentence and return that sentence."""
        done = self.run(*arguments)
        assert done.returncode == 1, done.stdout
        *progress, sentence = done.stderr.strip().splitlines()
        assert sentence.startswith("Error: "), done.stderr
        assert "Traceback" not in done.stderr
        assert not any(line.startswith("Error") for line in progress)
        return sentence.removeprefix("Error: ")

    @contextmanager
    def foreground(
        self,
        *arguments: str,
        first_words: str,
        process_class: type["subprocess.Popen[str]"] = PreloadedProcess,
    ) -> Iterator[Running]:
        """Run a long-running command, from the line that starts with ``first_words`` and ends with its URL."""
        errors = self.path / "stderr.txt"
        with errors.open("w") as stderr, hangups_are_heard():
            process = process_class(
                [installed_program(), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=self.environment,
            )
        try:
            yield Running(process, _line(process, first_words, errors).split()[-1])
        finally:
            process.kill()
            process.communicate()

    @contextmanager
    def watched(self, *arguments: str) -> Iterator[Watched]:
        """Run a command whose stderr is a terminal of 80 columns."""
        terminal, end = pty.openpty()
        process = PreloadedProcess(
            [installed_program(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=end,
            text=True,
            env=self.environment | {"TERM": "xterm", "COLUMNS": "80"},
        )
        os.close(end)
        try:
            yield Watched(process, terminal)
        finally:
            process.kill()
            process.communicate()
            os.close(terminal)

    def serving(self) -> AbstractContextManager[Running]:
        """Run ``gglib serve``."""
        return self.foreground("serve", first_words="Listening on")

    def engine_pids(self) -> list[int]:
        """Return the process ids of the running engines."""
        if not self.record.exists():
            return []
        started = [event["pid"] for event in read_record(self.record) if event["event"] == "start"]
        return [pid for pid in started if is_alive(pid)]


def _line(process: subprocess.Popen[str], first_words: str, errors: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(first_words):
            return line
    return pytest.fail(errors.read_text())


@pytest.fixture
def home() -> Iterator[Home]:
    """Yield a home with a short path: the path of a Unix socket is limited to about 100 bytes."""
    path = Path(tempfile.mkdtemp(prefix="gg-"))
    world = Home(path)
    yield world
    for pid in world.engine_pids():
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(path)


@pytest.fixture
def stocked(home: Home) -> Home:
    """Yield a home with one model, ``tiny``."""
    home.ok("add", str(home.model_file))
    return home
