"""Explains the fit of a model in one sentence. Pure."""

from gglib.core.memory import Fit, MachineMemory
from gglib.core.sizes import format_size
from gglib.library.fit.slots import SlotFit

FILE_MISSING = "A file is missing: pull the model again, or restore the file."
FILE_HIDDEN = "A directory of its files may not be searched by this user: fix its permissions."
MEMORY_UNKNOWN = "The system does not report the memory of this machine."


def is_memory_known(memory: MachineMemory) -> bool:
    """Whether a fit can be judged: the system reports the RAM or a GPU."""
    return memory.available_bytes is not None or memory.total_bytes is not None or bool(memory.gpus)


def fit_reason(fit: SlotFit, memory: MachineMemory) -> str:
    """Return why a model has this fit, as a sentence. ``memory`` is known."""
    size = format_size(fit.need.total_bytes)
    if fit.fit is Fit.TOO_LARGE:
        return f"It needs {size}, more than this machine can provide."
    if fit.fit is Fit.TIGHT and memory.gpus:
        return f"It needs {size}, more than the GPUs have free: a part stays in RAM, which is slower."
    if fit.fit is Fit.TIGHT:
        return f"It needs {size}, most of the free memory or more: unload models or close programs first."
    if fit.is_short:
        return f"It needs {size} and fits with memory for {fit.requests} at a time instead of {fit.wanted}."
    return f"It needs {size} and fits into the free memory."
