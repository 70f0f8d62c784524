"""Runs gglib as on the machine of the example, whose memory the engines of the example take.

``python -m scripts.page_pictures.machine serve`` is ``gglib serve``. What gglib reads of the machine is replaced before
the modules that use it are imported: RAM, GPU, processors, disk and platform.
"""

import os
import platform
import shutil
import sys
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from gglib import system
from gglib.core.memory import GpuMemory
from gglib.system import gpus, memory, process_memory, ram

GIB = 1024**3
RAM = 64 * GIB
OTHER_PROGRAMS = 9 * GIB
GPU = GpuMemory(name="NVIDIA GeForce RTX 4090", total_bytes=24 * GIB, free_bytes=24 * GIB)
DESKTOP = 900 * 1024**2
"""GPU memory of other programs."""
HEAP = 420 * 1024**2
"""RAM of an engine whose weights are on the GPU."""
CORES = 32


class _Disk(NamedTuple):
    total: int = 2_000_000_000_000
    used: int = 1_283_000_000_000
    free: int = 717_000_000_000


def main() -> None:
    """Replace the machine, and run gglib with the arguments."""
    replace_machine()
    from gglib.cli import main as run  # noqa: PLC0415 - imported once the machine is replaced

    run()


def replace_machine() -> None:
    """Replace what gglib reads of the machine."""
    replaced: tuple[tuple[object, str, object], ...] = (
        (system, "read_ram", _ram),
        (memory, "read_ram", _ram),
        (gpus, "read_gpu_states", _gpus),
        (process_memory, "read_groups", _groups),
        (system, "read_processor_name", lambda: "AMD Ryzen 9 7950X 16-Core Processor"),
        (system, "read_cores", lambda: CORES),
        (os, "cpu_count", lambda: CORES),
        (shutil, "disk_usage", lambda _: _Disk()),
        (platform, "platform", lambda: "Linux-6.12.48-x86_64-with-glibc2.41"),
    )
    for module, name, value in replaced:
        setattr(module, name, value)


def on_gpu(weights_bytes: int) -> int:
    """Return how much of the GPU an engine takes: weights, cache, buffers and the driver's context."""
    return round(weights_bytes * 1.04) + 700 * 1024**2


def _ram(*_: object) -> ram.Ram:
    return ram.Ram(RAM, RAM - OTHER_PROGRAMS - HEAP * len(_engines()))


def _gpus(*_: object, **__: object) -> tuple[gpus.GpuState, ...]:
    taken = {group: on_gpu(weights) for group, weights in _engines().items()}
    free = GPU.total_bytes - DESKTOP - sum(taken.values())
    return (gpus.GpuState(GpuMemory(name=GPU.name, total_bytes=GPU.total_bytes, free_bytes=free), taken),)


def _groups(group_ids: Collection[int], **_: object) -> Mapping[int, process_memory.GroupMemory]:
    engines = _engines()
    return {
        group: process_memory.GroupMemory(pids=frozenset({group}), anonymous_bytes=HEAP)
        for group in group_ids
        if group in engines
    }


def _engines() -> dict[int, int]:
    """Return the size of the weights of each engine of this home, by process group."""
    found: dict[int, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            group = os.getpgid(int(process.name))
        except OSError:
            continue
        models = [word for word in words if word.endswith(b".gguf") and word.startswith(_home())]
        if models and b"--api-key-file" in words:
            found[group] = Path(os.fsdecode(models[0])).stat().st_size
    return found


@cache
def _home() -> bytes:
    return os.environb[b"GGLIB_HOME"]


if __name__ == "__main__":
    sys.argv[0] = "gglib"
    main()
