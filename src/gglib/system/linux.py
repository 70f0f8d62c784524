"""Reads memory and its limits from Linux's virtual files, below a root directory that tests may choose."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gglib.system.ram import Ram

_MEMINFO = "proc/meminfo"
_OWN_GROUPS = "proc/self/cgroup"
_VMSTAT = "proc/vmstat"
_OOM_KILL = "oom_kill"
# A group without a limit: version 2 says "max", version 1 a number near 2^63.
_NO_LIMIT_BYTES = 2**60


@dataclass(frozen=True, slots=True)
class _Layout:
    """The file names of a version of control groups, and its names for reclaimable file pages."""

    mount: str
    limit: str
    usage: str
    reclaimable: tuple[str, ...]
    events: str
    """Has a line ``oom_kill N``: how many of the group's processes the OOM killer has killed."""


# https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
_CGROUP_V2 = _Layout(
    "sys/fs/cgroup", "memory.max", "memory.current", ("inactive_file", "active_file"), "memory.events"
)
_CGROUP_V1 = _Layout(
    "sys/fs/cgroup/memory",
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
    "memory.oom_control",
)


def read_linux_memory(root: Path) -> Ram:
    """Return the machine's memory, or what the control groups of this process leave if that is less.

    File pages count as free, as they do in MemAvailable. Never raises.
    """
    facts = numbers_of(text_of(root / _MEMINFO))
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
    counts = (numbers_of(text_of(group / layout.events)).get(_OOM_KILL) for layout, group in _groups(root))
    own = next((count for count in counts if count is not None), None)
    return numbers_of(text_of(root / _VMSTAT)).get(_OOM_KILL) if own is None else own


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """Yield limit and remaining bytes of each group of this process that has a limit."""
    for layout, group in _groups(root):
        limit = _limit(group, layout)
        if limit is not None:
            yield limit


def _groups(root: Path) -> Iterator[tuple[_Layout, Path]]:
    """Yield the directory of each memory control group of this process, the innermost first."""
    for line in text_of(root / _OWN_GROUPS).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            layout = _CGROUP_V2
        elif "memory" in controllers.split(","):
            layout = _CGROUP_V1
        else:
            continue
        inside = PurePosixPath(path.lstrip("/"))
        if ".." in inside.parts:  # a group outside this process's namespace
            inside = PurePosixPath()
        # A group's limit applies to its subgroups. A container often sees its own group as the mount itself.
        for group in (inside, *inside.parents):
            yield layout, root / layout.mount / group


def _limit(group: Path, layout: _Layout) -> tuple[int, int] | None:
    limit, usage = text_of(group / layout.limit).strip(), text_of(group / layout.usage).strip()
    if not limit.isdecimal() or not usage.isdecimal() or int(limit) >= _NO_LIMIT_BYTES:
        return None
    facts = numbers_of(text_of(group / "memory.stat"))
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


def text_of(path: Path) -> str:
    """Return the text of a virtual file, "" if it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
