"""Asks macOS for its memory, by the two commands that every Mac has."""

import re
import subprocess
from collections.abc import Callable, Sequence

from gglib.system.ram import Ram

_TOTAL = ("/usr/sbin/sysctl", "-n", "hw.memsize")
_PAGES = ("/usr/bin/vm_stat",)
_LIMIT_S = 2.0
_PAGE_SIZE = re.compile(r"page size of (\d+) bytes")
_COUNT = re.compile(r"^Pages ([a-z ]+): +(\d+)\.$", re.MULTILINE)
# What vm_stat calls free leaves out the speculative pages; inactive and purgeable ones are given up when asked for.
_AVAILABLE = ("free", "speculative", "inactive", "purgeable")


def read_macos_memory(answer_of: Callable[[Sequence[str]], str]) -> Ram:
    """Return the memory, given a way to run a command that returns "" when it fails."""
    total = answer_of(_TOTAL).strip()
    pages = answer_of(_PAGES)
    size = _PAGE_SIZE.search(pages)
    counts = {name: int(count) for name, count in _COUNT.findall(pages)}
    available = None
    if size is not None and "free" in counts:
        available = int(size[1]) * sum(counts.get(name, 0) for name in _AVAILABLE)
    return Ram(int(total) if total.isdecimal() else None, available)


def ask(command: Sequence[str]) -> str:
    """Return what a command prints, or "" when it cannot be run, fails or takes too long."""
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode(errors="replace")
