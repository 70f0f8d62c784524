"""Reads memory and its limits from Linux's virtual files, below a root directory that tests may choose."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gglib.system.control_groups import control_groups
from gglib.system.ram import Ram
from gglib.system.virtual_files import read_text

_MEMINFO = "proc/meminfo"
_VMSTAT = "proc/vmstat"
_OOM_KILL = "oom_kill"
# A group without a limit: version 2 says "max", version 1 a number near 2^63.
_NO_LIMIT_BYTES = 2**60


@dataclass(frozen=True, slots=True)
class _Layout:
    """The file names of a version of control groups, and its names for reclaimable file pages."""

    limit: str
    usage: str
    reclaimable: tuple[str, ...]
    events: str
    """Has a line ``oom_kill N``: how many of the group's processes the OOM killer has killed."""


# https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
_LAYOUTS = {
    2: _Layout("memory.max", "memory.current", ("inactive_file", "active_file"), "memory.events"),
    1: _Layout(
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
        "memory.oom_control",
    ),
}


def read_linux_memory(root: Path) -> Ram:
    """Return the machine's memory, or what the control groups of this process leave if that is less.

    File pages count as free, as they do in MemAvailable. Never raises.
    """
    facts = numbers_of(read_text(root / _MEMINFO))
    total, available = facts.get("MemTotal:"), facts.get("MemAvailable:")
    totals = [] if total is None else [total * 1024]
    availables = [] if available is None else [available * 1024]
    for limit, left in _limits(root):
        totals.append(limit)
        availables.append(left)
    return Ram(min(totals, default=None), min(availables, default=None))


def read_oom_kills(root: Path) -> int | None:
    """Return how many processes of this process's control group were killed by the OOM killer. Never raises.

    Child processes are in the same group; outer groups also count unrelated processes. If no group counts, the whole
    machine's number is used; None if there is none either.
    """
    counts = (numbers_of(read_text(group / layout.events)).get(_OOM_KILL) for layout, group in _groups(root))
    own = next((count for count in counts if count is not None), None)
    return numbers_of(read_text(root / _VMSTAT)).get(_OOM_KILL) if own is None else own


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """Yield limit and remaining bytes of each group of this process that has a limit."""
    for layout, group in _groups(root):
        limit = _limit(group, layout)
        if limit is not None:
            yield limit


def _groups(root: Path) -> Iterator[tuple[_Layout, Path]]:
    """Yield the directory of each memory control group of this process, the innermost first."""
    for group in control_groups(root, "memory"):
        yield _LAYOUTS[group.version], group.path


def _limit(group: Path, layout: _Layout) -> tuple[int, int] | None:
    limit, usage = read_text(group / layout.limit).strip(), read_text(group / layout.usage).strip()
    if not limit.isdecimal() or not usage.isdecimal() or int(limit) >= _NO_LIMIT_BYTES:
        return None
    facts = numbers_of(read_text(group / "memory.stat"))
    used = int(usage) - sum(facts.get(name, 0) for name in layout.reclaimable)
    return int(limit), max(0, int(limit) - max(0, used))


def numbers_of(text: str) -> dict[str, int]:
    """Return the first number of each line by its first word."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[1].isdecimal():
            found[words[0]] = int(words[1])
    return found
