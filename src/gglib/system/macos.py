"""Reads the memory of a Mac, with two commands that every Mac has."""

import re
import subprocess
from collections.abc import Callable, Sequence

from gglib.system.ram import Ram

_TOTAL = ("/usr/sbin/sysctl", "-n", "hw.memsize")
_PAGES = ("/usr/bin/vm_stat",)
_TIMEOUT_S = 2.0
_PAGE_SIZE = re.compile(r"page size of (\d+) bytes")
_COUNT = re.compile(r"^Pages ([a-z ]+): +(\d+)\.$", re.MULTILINE)
# vm_stat's free pages exclude the speculative ones; inactive and purgeable pages are reclaimed on demand.
_AVAILABLE = ("free", "speculative", "inactive", "purgeable")


def read_macos_memory(run: Callable[[Sequence[str]], str]) -> Ram:
    """Return the memory, given a function that runs a command and returns "" if it fails."""
    total = run(_TOTAL).strip()
    pages = run(_PAGES)
    size = _PAGE_SIZE.search(pages)
    counts = {name: int(count) for name, count in _COUNT.findall(pages)}
    available = None
    if size is not None and "free" in counts:
        available = int(size[1]) * sum(counts.get(name, 0) for name in _AVAILABLE)
    return Ram(int(total) if total.isdecimal() else None, available)


def run_command(command: Sequence[str]) -> str:
    """Return the output of a command, or "" if it cannot be run, fails or times out."""
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode(errors="replace")
