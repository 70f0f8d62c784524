"""What the end of a process shows for all engines: its signal, and whether memory was short. Pure."""

import re
import signal

from gglib.core.sizes import format_size
from gglib.system.ram import MemoryState

MAX_REASON_CHARACTERS = 300
_SHELL_SIGNAL_BASE = 128
"""A shell, and the guard as a parent process, report a signal as 128 plus its number."""
SCARCE_BYTES = 256 * 1024 * 1024
"""Less free memory than this right after a kill means that memory was short."""
OUT_OF_MEMORY = re.compile(
    # OutOfDeviceMemory: Vulkan; OutOfMemory: Metal, PyTorch.
    r"out of memory|unable to allocate|failed to allocate|cannot allocate|bad_alloc|insufficient memory|MemoryError"
    r"|OutOf(Device|Host)?Memory",
    re.IGNORECASE,
)
"""Matches the messages of allocations that failed."""
_OUT_OF_MEMORY_PREFIX = "out of memory"


def signal_number(exit_code: int) -> int | None:
    """Return the signal that ended a process; None if it exited by itself."""
    if exit_code < 0:
        return -exit_code
    number = exit_code - _SHELL_SIGNAL_BASE
    return number if number in signal.valid_signals() and number > 0 else None


def signal_name(number: int) -> str:
    """Return the name of a signal, such as ``SIGSEGV`` for 11, or the number if it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def is_kill(exit_code: int) -> bool:
    """Whether the process was killed by SIGKILL. Its log cannot explain that."""
    return signal_number(exit_code) == signal.SIGKILL


def is_out_of_memory(reason: str) -> bool:
    """Whether the reason of an exit says that the engine ran out of memory."""
    return reason.lower().startswith(_OUT_OF_MEMORY_PREFIX)


def as_out_of_memory(message: str) -> str:
    """Prefix an allocation failure with "out of memory"."""
    return message if is_out_of_memory(message) else f"{_OUT_OF_MEMORY_PREFIX}: {message}"


def shortened(text: str) -> str:
    """Return a line of a log for a message: without control characters, cut to ``MAX_REASON_CHARACTERS``."""
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return text if len(text) <= MAX_REASON_CHARACTERS else f"{text[:MAX_REASON_CHARACTERS]}..."


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
