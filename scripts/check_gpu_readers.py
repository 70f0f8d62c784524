"""Compare gglib's readers of GPUs with what the machine's own tools say: ``python -m scripts.check_gpu_readers``.

Prints what each reader sees, and on a machine with NVIDIA's driver compares names and sizes with ``nvidia-smi``. With
``--hold-mib N`` it takes that much memory of the first NVIDIA GPU by the driver's library, and checks that the reader
shows it, for this process and as less free memory, and that both end with it. Needs only gglib; exit code 1 for a
difference.
"""

import argparse
import ctypes
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gglib.app.memory.gpu_use import can_use, gpu_text, read_gpu_use
from gglib.core.errors import EngineNotFoundError
from gglib.runtime.engines import find_engine
from gglib.system.drm_cards import read_drm_cards, read_drm_states
from gglib.system.drm_clients import read_client_bytes
from gglib.system.gpus import GpuState, read_gpu_states
from gglib.system.kfd import read_kfd_bytes
from gglib.system.nvidia import read_nvidia_states
from gglib.system.present_gpus import read_present_gpus

ROOT = Path("/")
MIB = 1024**2
TOLERANCE_MIB = 512
"""Between two readings, other programs may take or free a little."""
CUDA_LIBRARY = "libcuda.so.1"
_problems: list[str] = []


def main() -> None:
    """Print and compare; exit with 1 for a difference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hold-mib", type=int, help="take this much memory of the first NVIDIA GPU")
    hold_mib = parser.parse_args().hold_mib
    print(f"{platform.platform()}, Python {platform.python_version()}")
    show_readers()
    show_engine()
    compare_with_nvidia_smi(timed("NVML", read_nvidia_states))
    if hold_mib:
        check_held(hold_mib)
    print("\n".join(_problems) or "No difference.")
    sys.exit(1 if _problems else 0)


def show_readers() -> None:
    """Print what each reader sees, and how long it takes."""
    for gpu in read_present_gpus():
        print(f"present: {gpu}")
    for card in read_drm_cards(ROOT):
        print(f"card: {card}")
    print(f"processes by /proc: {read_client_bytes(ROOT)}")
    print(f"processes by /sys/class/kfd: {read_kfd_bytes(ROOT)}")
    for state in (*timed("/sys and /proc", lambda: read_drm_states(ROOT)), *timed("all", read_gpu_states)):
        print(f"state: {state}")


def show_engine() -> None:
    """Print the devices of the engine in use, and which of the GPUs it can use."""
    try:
        engine = find_engine()
    except EngineNotFoundError as error:
        print(f"engine: {error}")
        return
    use = read_gpu_use(engine)
    print(f"engine: {engine.description}, devices {use.devices}; {gpu_text(use)}")
    for state in read_gpu_states():
        print(f"usable: {state.memory.name}: {can_use(state.memory, engine.gpu_devices())}")


def timed(what: str, read: Callable[[], tuple[GpuState, ...]]) -> tuple[GpuState, ...]:
    """Return a reading, after printing how long it took."""
    started_s = time.monotonic()
    found = read()
    print(f"{what}: {len(found)} GPUs in {(time.monotonic() - started_s) * 1000:.1f} ms")
    return found


def compare_with_nvidia_smi(states: Sequence[GpuState]) -> None:
    """Compare names, sizes and processes."""
    rows = nvidia_smi("--query-gpu=name,memory.total,memory.free")
    if rows is None:
        print("nvidia-smi: not installed")
        return
    print(f"nvidia-smi: {rows}")
    check(len(rows) == len(states), f"{len(states)} GPUs, nvidia-smi has {len(rows)}")
    for (name, total, free), state in zip(rows, states, strict=False):
        memory = state.memory
        check(memory.name == name, f"the name is {memory.name!r}, nvidia-smi has {name!r}")
        close("total", memory.total_bytes, expected_mib=int(total), tolerance_mib=1)
        close("free", memory.free_bytes, expected_mib=int(free), tolerance_mib=TOLERANCE_MIB)
    print(f"nvidia-smi, processes: {nvidia_smi('--query-compute-apps=pid,used_memory')}")


def nvidia_smi(query: str) -> list[list[str]] | None:
    """Return the rows of a query; None if there is no nvidia-smi."""
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except FileNotFoundError:
        return None
    return [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]


def check_held(size_mib: int) -> None:
    """Take memory and compare the readings before, meanwhile and afterwards."""
    before = read_nvidia_states()[0]
    with held(size_mib * MIB):
        meanwhile = read_nvidia_states()[0]
    after = read_nvidia_states()[0]
    taken = before.memory.free_bytes - meanwhile.memory.free_bytes
    shown = meanwhile.process_bytes.get(os.getpid())
    print(f"held: {size_mib} MiB; free fell by {taken // MIB} MiB; this process: {shown}")
    print(f"held: processes {dict(meanwhile.process_bytes)}, this one is {os.getpid()}")
    check(taken >= size_mib * MIB, "the free memory did not fall by what was taken")
    if meanwhile.process_bytes and shown is None:
        print("held: the driver shows other process ids than those of this system, as in a container")
    elif shown is not None:
        check(shown >= size_mib * MIB, "this process is shown with less than it took")
    expected_mib = before.memory.free_bytes // MIB
    close("free afterwards", after.memory.free_bytes, expected_mib=expected_mib, tolerance_mib=TOLERANCE_MIB)


@contextmanager
def held(size_bytes: int) -> Iterator[None]:
    """Hold memory of the first GPU for the block, by CUDA's driver interface."""
    cuda = ctypes.CDLL(CUDA_LIBRARY)
    device, context, pointer = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    call(cuda.cuInit, 0)
    call(cuda.cuDeviceGet, ctypes.byref(device), 0)
    call(cuda.cuCtxCreate_v2, ctypes.byref(context), 0, device)
    try:
        call(cuda.cuMemAlloc_v2, ctypes.byref(pointer), ctypes.c_size_t(size_bytes))
        yield
        call(cuda.cuMemFree_v2, pointer)
    finally:
        call(cuda.cuCtxDestroy_v2, context)


def call(function: Any, *arguments: object) -> None:  # noqa: ANN401 - a function of ctypes
    """Call a function of CUDA; exits with its error code."""
    if status := function(*arguments):
        sys.exit(f"{function.__name__} failed with {status}.")


def close(what: str, found_bytes: int, *, expected_mib: int, tolerance_mib: int) -> None:
    """Note a size that differs by more than the tolerance."""
    difference = abs(found_bytes / MIB - expected_mib)
    check(difference <= tolerance_mib, f"{what}: {found_bytes // MIB} MiB, expected {expected_mib} MiB")


def check(is_right: bool, problem: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Note a difference."""
    if not is_right:
        _problems.append(f"Different: {problem}")


if __name__ == "__main__":
    main()
