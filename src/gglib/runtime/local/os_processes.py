"""Process identity across pid reuse and reboots, and process groups. From ``/proc`` on Linux, from ``ps`` elsewhere."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def process_start_id(pid: int) -> str | None:
    """Return an id that distinguishes this process from others with the same pid; None if it does not run.

    On Linux: boot id and start time in clock ticks since boot. Elsewhere: the start time.
    """
    if _PROC.exists():
        try:
            # The name in parentheses may contain spaces, so split after the last ")". Field 22 is the start time.
            stat = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        is_zombie = stat[0] == "Z"
        return None if is_zombie else f"{boot}:{stat[19]}"
    output = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, check=False, text=True
    )
    return output.stdout.strip() or None


def signal_group(group_id: int, signal_number: signal.Signals) -> bool:
    """Send a signal to a process group; False if the group is empty."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group_id, signal_number)
        return True
    return False


def descendants(pid: int) -> list[int]:
    """Return the living descendants of a process, parents before children; empty where the system has no ``/proc``.

    They may have groups and sessions of their own. Those whose parent has exited are missing, unless that parent was
    below a process that adopts them (``guard --tree``).
    """
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found, left = [], children.get(pid, [])
    while left:
        found += left
        left = [grandchild for child in left for grandchild in children.get(child, [])]
    return found


def kill_descendants(pid: int) -> None:
    """Kill the descendants of a process, which itself goes on."""
    for descendant in descendants(pid):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(descendant, signal.SIGKILL)


def _parents() -> Iterator[tuple[int, int]]:
    """Yield the pid and the parent of each process."""
    for directory in _PROC.glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            yield int(directory.name), int((directory / "stat").read_text().rpartition(")")[2].split()[1])
