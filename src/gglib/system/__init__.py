"""This machine: how much memory is available to programs, and whether it has run out."""

from gglib.system.memory import read_memory, read_memory_state, read_ram
from gglib.system.ram import MemoryState, Ram

__all__ = ["MemoryState", "Ram", "read_memory", "read_memory_state", "read_ram"]
