"""Explains why a command exited: its signal or exit code, and the line of its log with the cause. Pure.

Nothing is known of the program. Python writes the cause last: the exception after a traceback. Others, such as forks of
llama.cpp, write the cause first, and then what follows from it: the first of the errors at the end of the log.
"""

import re
from collections.abc import Sequence

from gglib.runtime.engines.exits import (
    OUT_OF_MEMORY,
    as_out_of_memory,
    is_kill,
    shortened,
    signal_name,
    signal_number,
)

_SEARCHED_LINES = 30
"""How many of the last lines may have the cause: an exception may be followed by a long report."""
_EXCEPTION = re.compile(r"[\w.]*(?:Error|Exception|Exit|Interrupt)\b")
_ERROR = re.compile(
    r"error|fail|fatal|exception|cannot|can't|unable|no such|not found|invalid", re.IGNORECASE
)
_MAX_GAP = 1
"""How many lines without an error may be between two errors of one cause."""


def reason_for_exit(lines: Sequence[str], exit_code: int, *, memory: str | None = None) -> str:
    """Return why a command exited. ``lines`` are the last of its log, ``memory`` is that of ``explain_kill``."""
    if is_kill(exit_code) and memory is not None:
        return memory
    written = [line.strip() for line in lines if line.strip()][-_SEARCHED_LINES:]
    short = next((line for line in reversed(written) if OUT_OF_MEMORY.search(line)), None)
    if short is not None:
        return as_out_of_memory(shortened(short))
    number = signal_number(exit_code)
    if number is None:
        how = f"the command exited with code {exit_code}"
    else:
        how = f"the command was killed by signal {number} ({signal_name(number)})"
    return f"{how}: {shortened(_cause(written))}" if written else f"{how} and wrote nothing"


def _cause(written: Sequence[str]) -> str:
    """Return an exception in the last line, else the first of the errors at the end, else the last line."""
    last = written[-1]
    if _EXCEPTION.match(last):
        return last
    cause, gap = last, 0
    for line in reversed(written):
        if _ERROR.search(line):
            cause, gap = line, 0
        elif (gap := gap + 1) > _MAX_GAP:
            break
    return cause
