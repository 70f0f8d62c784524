"""Explains why an engine exited, from its log, its exit code and the system's memory state. Pure.

In order:

1. Killed (SIGKILL): the log cannot explain it. The OOM counter and the free memory show whether memory was short.
2. Aborted (SIGABRT): the assertion or the uncaught exception.
3. Another signal: its name and what it means.
4. Exit code: the errors of the log. Errors take priority over warnings, causes over consequences ("failed to load
   model"), and the first error of a block of consecutive errors over the rest of the block. Blocks separated by other
   lines may be unrelated: then the first error of the last block and the first error of all are both shown.
"""

from collections.abc import Sequence
from itertools import pairwise

from gglib.runtime.engines.exits import (
    OUT_OF_MEMORY,
    as_out_of_memory,
    shortened,
    signal_name,
    signal_number,
)
from gglib.runtime.engines.llama_cpp.log_lines import (
    Level,
    LogLine,
    Role,
    parse_lines,
)

_FIT_FAILED = "encountered an error"
_MEANINGS = {
    "SIGILL": "it was built for another processor; install a build of llama.cpp for this processor",
    "SIGSEGV": "it crashed",
    "SIGFPE": "it crashed in a computation",
    "SIGBUS": "a file that it reads was cut, or a disk failed",
    "SIGSYS": "a sandbox forbids one of its system calls",
    "SIGXCPU": "its limit on processor time was reached",
    "SIGXFSZ": "its limit on the size of a file was reached",
}


def reason_for_exit(
    lines: Sequence[str], exit_code: int, *, was_ready: bool = False, memory: str | None = None
) -> str:
    """Return why an engine exited. ``lines`` are the last of its log, ``memory`` is the result of ``explain_kill``.

    Earlier errors of a ready engine did not end it: only errors at the end of its log count.
    """
    parsed = parse_lines(lines)
    number = signal_number(exit_code)
    if number is None:
        return _reason_for_code(parsed, exit_code, was_ready=was_ready)
    name = signal_name(number)
    if name == "SIGKILL":
        return _reason_for_kill(parsed, memory, was_ready=was_ready)
    if name == "SIGABRT":
        return _reason_for_abort(parsed)
    return _reason_for_signal(parsed, number, was_ready=was_ready)


def _reason_for_kill(lines: Sequence[LogLine], memory: str | None, *, was_ready: bool) -> str:
    if memory is not None:
        return memory
    message = _final_error(lines) if was_ready else _cause_in_log(lines)
    killed = "the engine was killed by signal 9 (SIGKILL)"
    if message is None:
        return f"{killed}; nothing in its log says why, and nothing shows that memory was short"
    return (
        as_out_of_memory(message) if OUT_OF_MEMORY.search(message) else f"{killed}; its log says: {message}"
    )


def _reason_for_abort(lines: Sequence[LogLine]) -> str:
    crash = next((line for line in reversed(lines) if line.role is Role.CRASH), None)
    if crash is None:
        message = _final_error(lines)
        return (
            "the engine aborted (SIGABRT)" if message is None else f"the engine aborted (SIGABRT): {message}"
        )
    block = next(block for block in reversed(_error_blocks(lines)) if crash in block)
    first = next((line for line in block if line.role in {Role.CAUSE, Role.CRASH}), crash)
    text = shortened(crash.text) if first is crash else f"{shortened(first.text)} ({shortened(crash.text)})"
    return as_out_of_memory(text) if OUT_OF_MEMORY.search(text) else f"the engine aborted: {text}"


def _reason_for_signal(lines: Sequence[LogLine], number: int, *, was_ready: bool) -> str:
    name = signal_name(number)
    killed = f"the engine was killed by signal {number} ({name})"
    if name in _MEANINGS:
        killed += f": {_MEANINGS[name]}"
    message = _final_error(lines)
    if message is not None and OUT_OF_MEMORY.search(message):
        return as_out_of_memory(message)  # it used a failed allocation
    unlevelled = _unlevelled_end(lines)
    if unlevelled is not None:
        return f"{killed}; its last line: {unlevelled}"
    message = None if was_ready else message or _cause_in_log(lines)
    return killed if message is None else f"{killed}; its log says: {message}"


def _reason_for_code(lines: Sequence[LogLine], exit_code: int, *, was_ready: bool) -> str:
    exited = f"the engine exited with code {exit_code}"
    if was_ready:
        message = _final_error(lines)
        return exited if message is None else f"{exited}: {message}"
    message = _cause_in_log(lines)
    if message is not None:
        return as_out_of_memory(message) if OUT_OF_MEMORY.search(message) else message
    weakest = next((line for line in reversed(lines) if line.level is not Level.INFO), None)
    if weakest is not None and weakest.level is Level.UNKNOWN:
        message = shortened(weakest.text)
        return as_out_of_memory(message) if OUT_OF_MEMORY.search(message) else message
    return exited if weakest is None else f"{exited}; its last warning: {shortened(weakest.text)}"


def _cause_in_log(lines: Sequence[LogLine]) -> str | None:
    """Return the cause in the log, and a second one if they may be unrelated."""
    if any(map(_is_cause, lines)):
        return _first_of_blocks([block for block in _error_blocks(lines) if any(map(_is_cause, block))])
    message = _unlevelled_end(lines) if _has_levels(lines) else _before_consequences(lines)
    if message is not None:
        return message
    for role in (Role.CONSEQUENCE, Role.RUNNER, Role.FIT):
        found = [line for line in lines if line.role is role and line.level is not Level.INFO]
        if found:
            return shortened(found[0].text)
    return None


def _is_cause(line: LogLine) -> bool:
    return line.level is Level.ERROR and line.role in {Role.CAUSE, Role.CRASH}


def _has_levels(lines: Sequence[LogLine]) -> bool:
    """Whether the log has levels; a plain "error: ..." also occurs in logs without levels."""
    return any(line.level is Level.INFO or (line.level is Level.WARNING and line.source) for line in lines)


def _error_blocks(lines: Sequence[LogLine]) -> list[list[LogLine]]:
    """Return the blocks of consecutive errors; lines of the memory estimate do not separate blocks."""
    blocks: list[list[LogLine]] = []
    is_open = False
    for line in lines:
        if line.role is Role.FIT:
            continue
        if line.level is Level.ERROR:
            if not is_open:
                blocks.append([])
            blocks[-1].append(line)
        is_open = line.level is Level.ERROR
    return blocks


def _first_of_blocks(blocks: Sequence[Sequence[LogLine]]) -> str:
    firsts = [next(line.text for line in block if _is_cause(line)) for block in blocks]
    if firsts[0] in firsts[-1] or firsts[-1] in firsts[0]:
        return shortened(firsts[-1])
    return f"{shortened(firsts[-1])} (before that: {shortened(firsts[0])})"


def _before_consequences(lines: Sequence[LogLine]) -> str | None:
    """Return the line before the last chain of consequences: in a log without levels, that is the cause."""
    pairs = list(enumerate(pairwise(lines)))
    chains = [at for at, (line, after) in pairs if _is_explained(line, after)]
    chains = chains or [at for at, (line, after) in pairs if _is_explained(line, after, by_fit=True)]
    if not chains:
        return None
    first = last = chains[-1]
    while first > 0 and lines[last].source and lines[first - 1].source == lines[last].source:
        first -= 1
    if first == last:
        return shortened(lines[last].text)
    # The failed function logged several lines: show the first and the last.
    return f"{shortened(lines[first].text)}; {shortened(lines[last].text)}"


def _is_explained(line: LogLine, after: LogLine, *, by_fit: bool = False) -> bool:
    """Whether ``after`` reports the failure that ``line`` explains."""
    reports = after.role is Role.CONSEQUENCE or (
        by_fit and after.role is Role.FIT and after.text.startswith(_FIT_FAILED)
    )
    return reports and line.role in {Role.CAUSE, Role.CRASH}


def _final_error(lines: Sequence[LogLine]) -> str | None:
    """Return the first of the errors at the end of the log, or a last line without a level."""
    unlevelled = _unlevelled_end(lines)
    if unlevelled is not None:
        return unlevelled
    if not lines or lines[-1].level is not Level.ERROR:
        return None
    block = _error_blocks(lines)[-1] if _error_blocks(lines) else []
    found = [line for line in block if _is_cause(line)] or block
    return shortened(found[0].text) if found else None


def _unlevelled_end(lines: Sequence[LogLine]) -> str | None:
    """Return the last line if it has no level in a log with levels: the engine's logger did not write it."""
    if not lines or not _has_levels(lines) or lines[-1].level is not Level.UNKNOWN:
        return None
    return shortened(lines[-1].text)
