"""Names the processor, and counts the cores that this process may use: the only reader. Never raises."""

import os
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from gglib.system.control_groups import control_groups
from gglib.system.macos import run_command
from gglib.system.virtual_files import read_text

_ROOT = Path("/")
_CPUS = "sys/devices/system/cpu"
_PERFORMANCE_CPUS = "sys/devices/cpu_core/cpus"
"""Intel's hybrid processors only: the CPUs that are not efficiency cores."""
_MODEL_NAME = re.compile(r"^(?:model name|Model|Hardware)\s*:\s*(\S.*?)\s*$", re.MULTILINE)
"""In ``/proc/cpuinfo``: of x86; of ARM boards, whose processors have no name there."""
_MACOS_NAME = ("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")


def read_processor_name(platform: str = sys.platform, root: Path = _ROOT) -> str | None:
    """Return the name of the processor; None if the system has none for it.

    Takes a millisecond on Linux, a short process on a Mac. Blocks: call it in a worker thread.
    """
    if platform == "linux":
        found = _MODEL_NAME.search(read_text(root / "proc/cpuinfo"))
        return None if found is None else found[1]
    return (run_command(_MACOS_NAME).strip() or None) if platform == "darwin" else None


def read_cores() -> int | None:
    """Return the number of cores this process may use; None on systems other than Linux.

    Blocks for less than a millisecond for each CPU: call it in a worker thread.
    """
    if sys.platform != "linux":
        return None
    return count_cores(_ROOT, os.sched_getaffinity(0))


def read_cpus() -> int | None:
    """Return the number of logical processors this process may use; None on systems other than Linux.

    Blocks for a millisecond: call it in a worker thread.
    """
    if sys.platform != "linux":
        return None
    return count_cpus(_ROOT, os.sched_getaffinity(0))


def count_cpus(root: Path, affinity: Collection[int]) -> int:
    """Return the number of these CPUs, at most the CPU quota of the control groups; at least 1."""
    return max(1, min([len(affinity), *_quotas(root)]))


def count_cores(root: Path, affinity: Collection[int]) -> int:
    """Return the number of physical cores of these CPUs, at most the CPU quota of the control groups; at least 1.

    Counts as llama.cpp's default does (``common_cpu_get_num_math``): threads of one core count once, and efficiency
    cores do not count beside others. llama.cpp ignores the affinity and the quota.
    """
    fast = _parse_cpu_list(read_text(root / _PERFORMANCE_CPUS))
    cpus = set(affinity) & fast or set(affinity)
    cores = {_core_of(root, cpu) for cpu in cpus}
    return max(1, min([len(cores), *_quotas(root)]))


def _core_of(root: Path, cpu: int) -> str:
    """Return a text that the CPUs of one core have in common."""
    return read_text(root / _CPUS / f"cpu{cpu}/topology/thread_siblings_list").strip() or str(cpu)


def _quotas(root: Path) -> Iterator[int]:
    """Yield the CPU quota of each group of this process that has one, rounded up to whole CPUs."""
    for group in control_groups(root, "cpu"):
        if group.version == 2:
            words = read_text(group.path / "cpu.max").split()
        else:
            files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            words = [read_text(group.path / name).strip() for name in files]
        if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]):
            yield -(-int(words[0]) // int(words[1]))


def _parse_cpu_list(text: str) -> set[int]:
    """Return the numbers of a list such as ``0-3,8``; empty if it is not one."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            return set()
        found.update(range(int(first), int(last or first) + 1))
    return found
