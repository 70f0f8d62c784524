"""What the system says of processes: who is who, also after a reboot. Linux reads ``/proc``; elsewhere asks ``ps``."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def process_start_id(pid: int) -> str | None:
    """Return what tells this process from another one with the same pid, or None when there is none.

    Linux: the start time in clock ticks since boot, and the boot's own id.
    """
    if _PROC.exists():
        try:
            # The name in parentheses may hold spaces: what follows the last one is regular. Field 22 is the start.
            stat = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        is_zombie = stat[0] == "Z"
        return None if is_zombie else f"{boot}:{stat[19]}"
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, check=False, text=True
    )
    return answer.stdout.strip() or None


def signal_group(group: int, number: signal.Signals) -> bool:
    """Send a signal to a process group; False when nobody is in it any more."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False
