"""This machine: how much memory and how many cores programs may use, and whether memory has run out."""

from gglib.system.memory import read_memory, read_memory_state, read_ram
from gglib.system.processors import read_cores, read_processor_name
from gglib.system.ram import MemoryState, Ram

__all__ = [
    "MemoryState",
    "Ram",
    "read_cores",
    "read_memory",
    "read_memory_state",
    "read_processor_name",
    "read_ram",
]
