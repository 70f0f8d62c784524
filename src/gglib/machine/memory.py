"""Reads how much memory the machine has, and how much of it is free. Never raises."""

from gglib.core.fit import MachineMemory


def read_memory() -> MachineMemory:
    """Return the memory that programs can have now; None and no GPUs where the system does not say."""
    facts: dict[str, int] = {}
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123 - a virtual file
            for line in file:
                name, _, value = line.partition(":")
                facts[name] = int(value.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return MachineMemory(total_bytes=facts.get("MemTotal"), available_bytes=facts.get("MemAvailable"))
