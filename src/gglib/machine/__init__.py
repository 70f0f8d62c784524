"""What this machine has: how much memory programs can have now."""

from gglib.machine.memory import read_memory

__all__ = ["read_memory"]
