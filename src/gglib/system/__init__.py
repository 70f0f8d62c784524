"""What this machine has: how much memory programs can have now, and whether it has run out of it."""

from gglib.system.memory import read_memory, read_memory_state

__all__ = ["read_memory", "read_memory_state"]
