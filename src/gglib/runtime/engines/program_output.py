"""Runs a program and returns its output, such as its help page, within limits of time and size."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.runtime.environment import child_environment
from gglib.runtime.local.os_processes import signal_group

MAX_OUTPUT_BYTES = 1024 * 1024
"""A help page has 60 KB."""
_READ_BYTES = 65_536
_POLL_S = 0.05
"""Poll interval for the exit of a program that prints nothing."""


@dataclass(frozen=True, slots=True)
class ProgramOutput:
    """A program's output and exit code."""

    text: str
    exit_code: int | None
    """None if it was killed because of a timeout or too much output."""


def run_program(
    command: Sequence[str | Path], *, limit_s: float, dropped_variables: Sequence[str] = ()
) -> ProgramOutput:
    """Run a program and return its stdout and stderr. Blocks for at most ``limit_s``.

    It has no input and, like an engine, no secrets in its environment, nor variables with one of the prefixes
    ``dropped_variables``. Its children are killed with it. Raises ``OSError`` if the system cannot run it.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=child_environment(os.environ, dropped=dropped_variables),
        start_new_session=True,
    )
    deadline = time.monotonic() + limit_s
    assert process.stdout is not None  # noqa: S101 - stdout is a pipe
    with process.stdout as pipe:
        try:
            text = _read(pipe.fileno(), process.pid, deadline)
            has_finished = len(text) <= MAX_OUTPUT_BYTES and _has_exited_by(process.pid, deadline)
        finally:
            # Also after a normal exit: its children are in its group, whose id is reserved until it is reaped.
            signal_group(process.pid, signal.SIGKILL)
            process.wait()
    return ProgramOutput(text.decode(errors="replace"), process.returncode if has_finished else None)


def _read(descriptor: int, pid: int, deadline: float) -> bytes:
    """Read until the output or the program ends, the deadline passes, or the size limit is exceeded."""
    text = b""
    while len(text) <= MAX_OUTPUT_BYTES and (left_s := deadline - time.monotonic()) > 0:
        has_exited = _has_exited(pid)  # before the poll: what it wrote until then is readable
        readable, _, _ = select.select([descriptor], [], [], 0 if has_exited else min(left_s, _POLL_S))
        if not readable:
            if has_exited:  # its children may keep the pipe open for ever
                break
            continue
        part = os.read(descriptor, _READ_BYTES)
        if not part:
            break
        text += part
    return text


def _has_exited_by(pid: int, deadline: float) -> bool:
    while not _has_exited(pid):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S / 10)
    return True


def _has_exited(pid: int) -> bool:
    """Whether a child has exited; does not reap it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
