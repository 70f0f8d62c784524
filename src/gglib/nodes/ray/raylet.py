"""Starts and stops Ray's processes of one node.

``ray stop`` ends all processes of Ray on a machine, also those of other clusters and users. Those of gglib are known by
a mark in their environment instead. Some of them ignore SIGTERM, and actors stay when their raylet is killed.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from gglib.core.errors import NodeError
from gglib.nodes.ray.environment import MARK_VARIABLE
from gglib.nodes.ray.versions import start_failure

START_S = 60.0
TERM_S = 5.0
"""How long a raylet may take to sign off at the head."""
KILL_S = 10.0
POLL_S = 0.1
_PROC = Path("/proc")
_RAYLET = "raylet"


def start_ray(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, address: str, first_port: int
) -> None:
    """Run ``ray start`` to its end; its processes go on.

    Raises ``NodeError``, and leaves no process, if it fails; ``address`` and ``first_port`` are for its message.
    """
    log.unlink(missing_ok=True)
    with open(log, "xb", opener=_owner_only) as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait(process, log, address, first_port)
    except BaseException:  # also Ctrl-C
        process.kill()
        process.wait()
        stop_ray(environment[MARK_VARIABLE])
        raise


def _wait(process: "subprocess.Popen[bytes]", log: Path, address: str, first_port: int) -> None:
    """Wait for the end of ``ray start``. Raises ``NodeError`` if it fails."""
    failure = _start_failure(process, log, address, first_port)
    if failure is not None:
        raise NodeError(failure)


def _start_failure(
    process: "subprocess.Popen[bytes]", log: Path, address: str, first_port: int
) -> str | None:
    """Wait for the end of ``ray start``; returns why it failed, as a sentence."""
    deadline = monotonic() + START_S
    while process.poll() is None and monotonic() < deadline:
        failure = start_failure(_read(log), address, first_port)
        if failure is not None:
            return failure
        sleep(POLL_S)
    if process.returncode == 0:
        return None
    failure = start_failure(_read(log), address, first_port)
    problem = f"did not start within {START_S:g} s" if process.returncode is None else "could not be started"
    return failure or f"Ray {problem}: {log} has its messages."


def marked_processes(mark: str) -> list[int]:
    """Return the processes that belong to the ``ray start`` with this mark, without zombies and this process."""
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    return [pid for pid in _pids() if pid != os.getpid() and _is_marked(pid, wanted)]


def stop_ray(mark: str) -> list[int]:
    """End the processes of a node, the raylet first; returns those that are left, which cannot be killed."""
    raylets = [pid for pid in marked_processes(mark) if process_name(pid) == _RAYLET]
    _signal(raylets, signal.SIGTERM)
    _wait_for_end(raylets, TERM_S)
    deadline = monotonic() + KILL_S
    while (left := marked_processes(mark)) and monotonic() < deadline:
        _signal(left, signal.SIGKILL)
        _wait_for_end(left, POLL_S)
    return left


def _wait_for_end(pids: Sequence[int], limit_s: float) -> None:
    deadline = monotonic() + limit_s
    while monotonic() < deadline and any(_is_running(pid) for pid in pids):
        sleep(POLL_S / 2)


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _pids() -> list[int]:
    return [int(path.name) for path in _PROC.iterdir() if path.name.isdecimal()]


def _is_marked(pid: int, wanted: bytes) -> bool:
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return False
    return wanted in variables and _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def process_name(pid: int) -> str:
    """Return the name of a process; empty if it has ended."""
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def _read(log: Path) -> str:
    try:
        return log.read_text(errors="replace")
    except OSError:
        return ""


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
