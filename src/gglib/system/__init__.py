"""What this machine has: how much memory programs can have now, and whether it has run out of it."""

from gglib.system.memory import read_memory, read_memory_state, read_ram
from gglib.system.ram import MemoryState, Ram

__all__ = ["MemoryState", "Ram", "read_memory", "read_memory_state", "read_ram"]
