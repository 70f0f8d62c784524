"""Runs a program for an answer, such as its help page: bounded in time and output, and nothing of it stays behind."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.runtime.local.os_processes import signal_group
from gglib.runtime.local.process import minimal_environment

MAX_OUTPUT_BYTES = 1024 * 1024
"""llama-server's help page has 60 KB."""
_READ_BYTES = 65_536
_POLL_S = 0.05
"""How often one looks whether a silent program has ended."""


@dataclass(frozen=True, slots=True)
class ProgramOutput:
    """What a program printed, and how it ended."""

    text: str
    exit_code: int | None
    """None when it was ended from here: it took too long, or said too much."""


def run_program(command: Sequence[str | Path], *, limit_s: float) -> ProgramOutput:
    """Run a program to its end and return what it prints on both outputs. Blocks for ``limit_s`` at most.

    It has no input and, like an engine, no secrets in its environment. Whatever it started is killed with it. Raises
    ``OSError`` where the system cannot run it.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=minimal_environment(os.environ),
        start_new_session=True,
    )
    deadline = time.monotonic() + limit_s
    assert process.stdout is not None  # noqa: S101 - it was asked for
    with process.stdout as pipe:
        try:
            text = _read(pipe.fileno(), process.pid, deadline)
            is_over = len(text) <= MAX_OUTPUT_BYTES and _is_over_by(process.pid, deadline)
        finally:
            # Also after an ordinary end: what it started is in its group, whose id is ours until it is reaped.
            signal_group(process.pid, signal.SIGKILL)
            process.wait()
    return ProgramOutput(text.decode(errors="replace"), process.returncode if is_over else None)


def _read(descriptor: int, pid: int, deadline: float) -> bytes:
    """Return what comes until the output or the program ends, the deadline, or a little more than the limit."""
    text = b""
    while len(text) <= MAX_OUTPUT_BYTES and (left_s := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select([descriptor], [], [], min(left_s, _POLL_S))
        if not readable:
            if _is_over(pid):  # what it started may hold the output open for ever
                break
            continue
        part = os.read(descriptor, _READ_BYTES)
        if not part:
            break
        text += part
    return text


def _is_over_by(pid: int, deadline: float) -> bool:
    while not _is_over(pid):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S / 10)
    return True


def _is_over(pid: int) -> bool:
    """Whether a child has ended; it stays to be reaped."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
