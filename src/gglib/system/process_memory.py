"""Reads the memory of process groups: an engine is a group, because it runs behind a guard. Never raises.

On Linux from ``/proc`` below a root directory that tests may choose, on a Mac from ``ps``.
"""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.system.linux import numbers_of
from gglib.system.macos import run_command
from gglib.system.virtual_files import read_text

_ROOT = Path("/")
_KIB = 1024
_PS = ("/bin/ps", "-axo", "pgid=,pid=,rss=")


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """The memory of all processes of one group, in bytes."""

    pids: frozenset[int] = frozenset()
    anonymous_bytes: int = 0
    """Heap, stacks and shared memory in RAM: free again as soon as the processes have exited."""
    file_bytes: int = 0
    """Pages of mapped files, such as weights. Linux counts the clean ones as available memory."""
    swapped_bytes: int = 0
    locked_file_bytes: int = 0
    """The part of ``file_bytes`` that is locked (``mlock``): Linux does not count it as available memory."""

    @property
    def total_bytes(self) -> int:
        """What the group would take in a machine without swap."""
        return self.anonymous_bytes + self.file_bytes + self.swapped_bytes

    def __add__(self, other: "GroupMemory") -> "GroupMemory":
        """Return the memory of both."""
        return GroupMemory(
            self.pids | other.pids,
            self.anonymous_bytes + other.anonymous_bytes,
            self.file_bytes + other.file_bytes,
            self.swapped_bytes + other.swapped_bytes,
            self.locked_file_bytes + other.locked_file_bytes,
        )


def read_groups(
    group_ids: Collection[int],
    *,
    is_proportional: bool,
    platform: str = sys.platform,
    root: Path = _ROOT,
    run: Callable[[Sequence[str]], str] = run_command,
) -> dict[int, GroupMemory]:
    """Return the memory of each process group; groups whose leader has exited are missing.

    ``is_proportional``: pages shared with other processes, such as the weights of one file in two engines, count
    in proportion (PSS). The kernel walks the page tables for that, some milliseconds per gigabyte; otherwise they count
    in full. A Mac reports neither, only the resident size: it counts as anonymous. Blocks: call it in a worker thread.
    """
    if not group_ids:
        return {}
    if platform == "linux":
        found = _linux_processes(group_ids, root, is_proportional=is_proportional)
    elif platform == "darwin":
        found = _ps_processes(group_ids, run(_PS))
    else:
        return {}
    groups: dict[int, GroupMemory] = {}
    for group_id, memory in found:
        groups[group_id] = groups.get(group_id, GroupMemory()) + memory
    return groups


def _linux_processes(
    group_ids: Collection[int], root: Path, *, is_proportional: bool
) -> Iterator[tuple[int, GroupMemory]]:
    for process in _candidates(group_ids, root / "proc"):
        group_id = _group_id(read_text(process / "stat"))
        if group_id not in group_ids:
            continue
        sizes = _proportional(process) if is_proportional else None
        sizes = sizes or _resident(process)
        if sizes is not None:
            yield group_id, GroupMemory(frozenset({int(process.name)}), *(size * _KIB for size in sizes))


def _candidates(group_ids: Collection[int], proc: Path) -> Iterator[Path]:
    """Yield the processes that may be in the groups: their leaders with all descendants.

    Where the kernel does not list children, all processes: that takes 0.1 ms for each.
    """
    leaders = [group_id for group_id in group_ids if _exists(proc / str(group_id))]
    if not all(_exists(proc / str(leader) / "task" / str(leader) / "children") for leader in leaders):
        yield from proc.glob("[0-9]*")
        return
    left, seen = leaders, set[int]()
    while left:
        pid = left.pop()
        if pid not in seen:
            seen.add(pid)
            yield proc / str(pid)
            left += _children(proc / str(pid) / "task")


def _children(tasks: Path) -> Iterator[int]:
    """Yield the children of all threads of a process; none if it exits meanwhile."""
    try:
        threads = [*tasks.iterdir()]
    except OSError:
        return
    for thread in threads:
        yield from (int(word) for word in read_text(thread / "children").split() if word.isdecimal())


def _exists(path: Path) -> bool:
    """Whether a file of ``/proc`` exists. ``Path.exists`` raises if its process has just exited (ESRCH)."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _group_id(stat: str) -> int:
    """Return field 5 of ``/proc/PID/stat``, 0 if there is none. The name in parentheses may contain spaces."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[2]) if len(fields) > 2 and fields[2].isdecimal() else 0


def _proportional(process: Path) -> tuple[int, ...] | None:
    """Return the sizes of ``smaps_rollup`` in KiB; kernels before 5.4 do not divide PSS by kind."""
    found = numbers_of(read_text(process / "smaps_rollup"))
    if "Pss:" not in found:
        return None
    pss, swapped = found["Pss:"], found.get("SwapPss:", 0)
    if "Pss_Anon:" in found:
        anonymous = found["Pss_Anon:"] + found.get("Pss_Shmem:", 0)
    else:
        anonymous = min(pss, found.get("Anonymous:", 0))
    in_files = pss - anonymous
    return anonymous, in_files, swapped, min(in_files, found.get("Locked:", 0))


def _resident(process: Path) -> tuple[int, ...] | None:
    """Return the sizes of ``status`` in KiB; None for a zombie, which has no memory.

    Of locked memory, the kernel does not say whether it is of files. An engine locks its weights: pages of the model's
    file, or else anonymous memory, and then it has few file pages, those of its libraries.
    """
    found: Mapping[str, int] = numbers_of(read_text(process / "status"))
    if "RssAnon:" not in found:
        return None
    anonymous = found["RssAnon:"] + found.get("RssShmem:", 0)
    in_files = found.get("RssFile:", 0)
    return anonymous, in_files, found.get("VmSwap:", 0), min(in_files, found.get("VmLck:", 0))


def _ps_processes(group_ids: Collection[int], output: str) -> Iterator[tuple[int, GroupMemory]]:
    for line in output.splitlines():
        words = line.split()
        if len(words) == 3 and all(word.isdecimal() for word in words) and int(words[0]) in group_ids:
            yield int(words[0]), GroupMemory(frozenset({int(words[1])}), int(words[2]) * _KIB)
