"""A program in a real pseudo-terminal of a chosen size, with a screen that a terminal emulator (pyte) draws."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyte
from tests.support.preloaded import PreloadedProcess, is_gglib

WAIT_S = 60.0
"""Longest wait for a text."""
SETTLED_S = 0.3
"""The screen counts as settled after this time without output."""
ENTER = "\r"
TAB = "\t"
CTRL_C = "\x03"
CTRL_D = "\x04"
CTRL_J = "\n"
_PASTE = "\x1b[200~{}\x1b[201~"


class Terminal:
    """A running program and its screen."""

    def __init__(self, process: subprocess.Popen[Any], master: int, columns: int, rows: int) -> None:
        self.process = process
        self.raw = b""
        """All output so far."""
        self._master = master
        self._screen = pyte.HistoryScreen(columns, rows, history=5_000)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def lines(self) -> list[str]:
        """The lines so far, also those that have scrolled away, without trailing spaces."""
        return [line.rstrip() for line in self._padded_lines()]

    @property
    def text(self) -> str:
        """All lines as one text."""
        return "\n".join(self.lines).rstrip()

    @property
    def screen(self) -> str:
        """The screen without what has scrolled away."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def send(self, keys: str) -> None:
        """Send keys as a terminal does."""
        os.write(self._master, keys.encode())

    def paste(self, text: str) -> None:
        """Send a text as a terminal does whose bracketed paste mode is on."""
        self.send(_PASTE.format(text.replace("\n", "\r")))

    def wait_for(self, text: str, *, count: int = 1) -> str:
        """Read until ``text`` is on the screen or above it ``count`` times; return all lines as one text."""
        deadline_s = time.monotonic() + WAIT_S
        while "\n".join(self._padded_lines()).count(text) < count:
            if not self._read(deadline_s - time.monotonic()):
                raise AssertionError(f"{text!r} is missing:\n{self.text}")
        return self.text

    def wait_until(self, is_shown: Callable[[str], bool]) -> str:
        """Read until a condition of the screen holds, without what has scrolled away; return the screen."""
        deadline_s = time.monotonic() + WAIT_S
        while not is_shown(self.screen):
            if not self._read(deadline_s - time.monotonic()):
                raise AssertionError(f"never shown:\n{self.screen}")
        return self.screen

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal; the kernel sends SIGWINCH to the program."""
        self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> list[object]:
        """Return the modes of the terminal: echo, signals and so on."""
        return termios.tcgetattr(self._master)

    def settle(self) -> str:
        """Read until the program writes nothing for a moment; return all lines as one text."""
        while self._read(SETTLED_S):
            pass
        return self.text

    def wait_for_exit(self) -> int:
        """Read until the program ends; return its exit code."""
        deadline_s = time.monotonic() + WAIT_S
        while self._read(deadline_s - time.monotonic()):
            pass
        return self.process.wait(max(0.1, deadline_s - time.monotonic()))

    def _padded_lines(self) -> list[str]:
        columns = self._screen.columns
        gone = ["".join(row[at].data for at in range(columns)) for row in self._screen.history.top]
        return [*gone, *self._screen.display]

    def _read(self, limit_s: float) -> bool:
        """Read once; return False at the end of the output or after ``limit_s``."""
        if limit_s <= 0 or not select.select([self._master], [], [], limit_s)[0]:
            return False
        with suppress(OSError):  # EIO: the program has closed the terminal
            if data := os.read(self._master, 65_536):
                self.raw += data
                self._stream.feed(data)
                return True
        return False


@contextmanager
def terminal(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    columns: int = 80,
    rows: int = 24,
    cwd: Path | None = None,
) -> Iterator[Terminal]:
    """Run a program as the leader of a session with a terminal; its process group is killed at the end.

    gglib is forked from a process that has imported it, see ``tests/support/preloaded.py``.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    options: dict[str, Any] = {"env": _environment(env), "cwd": cwd}
    options |= dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    process: subprocess.Popen[Any]
    try:
        if is_gglib(command):
            process = PreloadedProcess(command, start_new_session=True, **options)
        else:
            # A test has no other threads here.
            process = subprocess.Popen(command, preexec_fn=_own_terminal, **options)  # noqa: PLW1509
    finally:
        os.close(slave)
    try:
        yield Terminal(process, master, columns, rows)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(master)


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without a size: it would override that of the terminal."""
    kept = {name: value for name, value in env.items() if name not in {"COLUMNS", "LINES"}}
    return {**kept, "TERM": "xterm-256color"}


def _own_terminal() -> None:
    """Make the terminal on stdin the controlling one of a new session, so that Ctrl-C is a signal."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
