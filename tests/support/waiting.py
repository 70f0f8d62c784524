"""Waits for other tasks, threads and processes; each fails after a timeout instead of waiting forever."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 60.0
"""Far above what any wait takes on a busy machine: it ends a test that would hang, and measures nothing."""

POLL_S = 0.005


async def until(
    condition: Callable[[], object], *, within_s: float = LIMIT_S, poll_s: float = POLL_S
) -> None:
    """Return once ``condition`` holds; AssertionError when it does not within ``within_s``."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {within_s:g} s"
        await asyncio.sleep(poll_s)


def wait_until(
    condition: Callable[[], object],
    *,
    within_s: float = LIMIT_S,
    poll_s: float = POLL_S,
    explain: Callable[[], str] = str,
) -> None:
    """Block until ``condition`` holds; AssertionError with what ``explain`` returns when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {within_s:g} s: {explain()}"
        time.sleep(poll_s)


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie (without /proc: whether a signal can reach it)."""
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def is_asleep(pid: int) -> bool:
    """Whether a process sleeps (state S)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
