"""Explains why an engine exited, from its log, its exit code and the system's memory state. Pure.

In order:

1. Killed (SIGKILL): the log cannot explain it. The OOM counter and the free memory show whether memory was short.
2. Aborted (SIGABRT): the assertion or the uncaught exception.
3. Another signal: its name and what it means.
4. Exit code: the errors of the log. Errors take priority over warnings, causes over consequences ("failed to load
   model"), and the first error of a block of consecutive errors over the rest of the block. Blocks separated by other
   lines may be unrelated: then the first error of the last block and the first error of all are both shown.
"""

import re
import signal
from collections.abc import Sequence
from itertools import pairwise

from gglib.core.sizes import format_size
from gglib.runtime.local.log_lines import (
    Level,
    LogLine,
    Role,
    parse_lines,
)
from gglib.system.ram import MemoryState

MAX_REASON_CHARACTERS = 300
_SHELL_SIGNAL_BASE = 128
"""A shell, and the guard in ``supervise``, report a signal as 128 plus its number."""
SCARCE_BYTES = 256 * 1024 * 1024
"""Less free memory than this right after a kill means that memory was short."""

_OUT_OF_MEMORY = re.compile(
    # OutOfDeviceMemory: Vulkan; OutOfMemory: Metal.
    r"out of memory|unable to allocate|failed to allocate|cannot allocate|bad_alloc|insufficient memory|MemoryError"
    r"|OutOf(Device|Host)?Memory",
    re.IGNORECASE,
)
_OUT_OF_MEMORY_PREFIX = "out of memory"
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
    number = _signal_number(exit_code)
    if number is None:
        return _reason_for_code(parsed, exit_code, was_ready=was_ready)
    name = signal_name(number)
    if name == "SIGKILL":
        return _reason_for_kill(parsed, memory, was_ready=was_ready)
    if name == "SIGABRT":
        return _reason_for_abort(parsed)
    return _reason_for_signal(parsed, number, was_ready=was_ready)


def is_kill(exit_code: int) -> bool:
    """Whether the engine was killed by SIGKILL. Its log cannot explain that."""
    return _signal_number(exit_code) == signal.SIGKILL


def is_out_of_memory(reason: str) -> bool:
    """Whether a result of ``reason_for_exit`` says that the engine ran out of memory."""
    return reason.lower().startswith(_OUT_OF_MEMORY_PREFIX)


def signal_name(number: int) -> str:
    """Return the name of a signal, such as ``SIGSEGV`` for 11, or the number if it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def explain_kill(before: MemoryState | None, after: MemoryState | None, *, needed_bytes: int) -> str | None:
    """Return the evidence that a SIGKILL was caused by a lack of memory; None if there is none.

    ``before`` is from the launch, ``after`` from right after the exit; ``needed_bytes`` is the size of the files.
    """
    if before is None or after is None:
        return None
    if before.oom_kills is not None and after.oom_kills is not None and after.oom_kills > before.oom_kills:
        return "out of memory: the system killed the engine"
    if before.available_bytes is not None and before.available_bytes < needed_bytes:
        return (
            "out of memory, most likely: the engine was killed, and the model's files "
            f"({format_size(needed_bytes)}) are larger than the memory that was free before "
            f"({format_size(before.available_bytes)})"
        )
    if after.available_bytes is not None and after.available_bytes < SCARCE_BYTES:
        return (
            "out of memory, most likely: the engine was killed while "
            f"{format_size(after.available_bytes)} of memory were free"
        )
    return None


def _signal_number(exit_code: int) -> int | None:
    if exit_code < 0:
        return -exit_code
    number = exit_code - _SHELL_SIGNAL_BASE
    return number if number in signal.valid_signals() and number > 0 else None


def _reason_for_kill(lines: Sequence[LogLine], memory: str | None, *, was_ready: bool) -> str:
    if memory is not None:
        return memory
    message = _final_error(lines) if was_ready else _cause_in_log(lines)
    killed = "the engine was killed by signal 9 (SIGKILL)"
    if message is None:
        return f"{killed}; nothing in its log says why, and nothing shows that memory was short"
    return (
        _as_out_of_memory(message) if _OUT_OF_MEMORY.search(message) else f"{killed}; its log says: {message}"
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
    text = _truncate(crash.text) if first is crash else f"{_truncate(first.text)} ({_truncate(crash.text)})"
    return _as_out_of_memory(text) if _OUT_OF_MEMORY.search(text) else f"the engine aborted: {text}"


def _reason_for_signal(lines: Sequence[LogLine], number: int, *, was_ready: bool) -> str:
    name = signal_name(number)
    killed = f"the engine was killed by signal {number} ({name})"
    if name in _MEANINGS:
        killed += f": {_MEANINGS[name]}"
    message = _final_error(lines)
    if message is not None and _OUT_OF_MEMORY.search(message):
        return _as_out_of_memory(message)  # it used a failed allocation
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
        return _as_out_of_memory(message) if _OUT_OF_MEMORY.search(message) else message
    weakest = next((line for line in reversed(lines) if line.level is not Level.INFO), None)
    if weakest is not None and weakest.level is Level.UNKNOWN:
        message = _truncate(weakest.text)
        return _as_out_of_memory(message) if _OUT_OF_MEMORY.search(message) else message
    return exited if weakest is None else f"{exited}; its last warning: {_truncate(weakest.text)}"


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
            return _truncate(found[0].text)
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
        return _truncate(firsts[-1])
    return f"{_truncate(firsts[-1])} (before that: {_truncate(firsts[0])})"


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
        return _truncate(lines[last].text)
    # The failed function logged several lines: show the first and the last.
    return f"{_truncate(lines[first].text)}; {_truncate(lines[last].text)}"


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
    return _truncate(found[0].text) if found else None


def _unlevelled_end(lines: Sequence[LogLine]) -> str | None:
    """Return the last line if it has no level in a log with levels: the engine's logger did not write it."""
    if not lines or not _has_levels(lines) or lines[-1].level is not Level.UNKNOWN:
        return None
    return _truncate(lines[-1].text)


def _as_out_of_memory(message: str) -> str:
    """Prefix an allocation failure with "out of memory"."""
    return message if is_out_of_memory(message) else f"{_OUT_OF_MEMORY_PREFIX}: {message}"


def _truncate(text: str) -> str:
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return text if len(text) <= MAX_REASON_CHARACTERS else f"{text[:MAX_REASON_CHARACTERS]}..."
