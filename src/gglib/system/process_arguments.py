"""Reads the command line of a process of this user. Never raises; Linux only, elsewhere nothing is known."""

from pathlib import Path


def process_arguments(process_id: int, *, root: Path = Path("/")) -> list[str]:
    """Return the arguments of a process, the program first; none if it has ended or the system has no ``/proc``."""
    try:
        content = (root / "proc" / str(process_id) / "cmdline").read_bytes()
    except OSError:
        return []
    return content.decode(errors="replace").split("\0")[:-1]
