"""Process identity across pid reuse and reboots, and process groups. From ``/proc`` on Linux, from ``ps`` elsewhere."""

import os
import signal
import subprocess
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
