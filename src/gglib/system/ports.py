"""Finds the process that listens on a TCP port, if it belongs to this user. Never raises."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gglib.system.macos import run_command
from gglib.system.virtual_files import read_text

ROOT = Path("/")
_TABLES = ("proc/net/tcp", "proc/net/tcp6")
_LISTENING = "0A"
"""``TCP_LISTEN`` in the ``st`` column (include/net/tcp_states.h)."""
_LSOF = "/usr/sbin/lsof"


@dataclass(frozen=True, slots=True)
class ListeningProcess:
    """A process that listens on a port."""

    pid: int
    name: str


def listening_process(
    port: int,
    platform: str = sys.platform,
    root: Path = ROOT,
    run: Callable[[Sequence[str]], str] = run_command,
) -> ListeningProcess | None:
    """Return the process that listens on ``port``; None if it is unknown or another user's.

    ``root`` is where Linux's virtual files are, ``run`` returns a command's output. Takes some milliseconds on Linux;
    on a Mac it runs ``lsof``, for at most two seconds.
    """
    if platform == "linux":
        inodes = {inode for table in _TABLES for inode in listening_inodes(read_text(root / table), port)}
        return _owner(root / "proc", inodes)
    if platform == "darwin":
        return parse_lsof(run((_LSOF, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc")))
    return None


def listening_inodes(table: str, port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen on ``port``, in the format of ``/proc/net/tcp`` (proc(5))."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENING and fields[1].endswith(f":{port:04X}"):
            yield fields[9]


def parse_lsof(output: str) -> ListeningProcess | None:
    """Return the first process in the output of ``lsof -Fpc``: a line ``pPID``, then a line ``cNAME``."""
    found = re.search(r"^p(\d+)\nc(.+)$", output, re.MULTILINE)
    return None if found is None else ListeningProcess(int(found[1]), found[2])


def _owner(processes: Path, inodes: set[str]) -> ListeningProcess | None:
    """Return the process with a descriptor of one of the sockets; other users' descriptors cannot be read."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    if not wanted:
        return None
    for pid in _numbered(processes):
        with suppress(OSError):  # it has ended, or is another user's
            links = (str(descriptor.readlink()) for descriptor in (processes / pid / "fd").iterdir())
            if not wanted.isdisjoint(links):
                return ListeningProcess(int(pid), read_text(processes / pid / "comm").strip())
    return None


def _numbered(processes: Path) -> list[str]:
    with suppress(OSError):
        return sorted((path.name for path in processes.iterdir() if path.name.isdecimal()), key=int)
    return []
