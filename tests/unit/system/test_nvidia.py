"""NVIDIA GPUs, by a driver that may be absent, broken or stuck."""

import threading
from types import SimpleNamespace
from typing import Any

from gglib.core.memory import GpuMemory
from gglib.system.nvidia import read_nvidia_states


class FakeNvml:
    """A driver with some GPUs; those in ``lost`` raise errors."""

    def __init__(self, names: list[Any], *, lost: frozenset[int] = frozenset()) -> None:
        self.names = names
        self.lost = lost
        self.calls: list[str] = []

    def nvmlInit(self) -> None:  # noqa: N802 - the library's name
        self.calls.append("init")

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.calls.append("shutdown")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.names)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        if index in self.lost:
            raise RuntimeError("GPU is lost")
        return index

    def nvmlDeviceGetName(self, handle: int) -> Any:  # noqa: N802
        return self.names[handle]

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(total=24 * (handle + 1), free=8 * (handle + 1), used=0)


def _raise(error: BaseException) -> Any:
    raise error


def test_each_gpu_is_listed() -> None:
    """Every GPU has its name, which older drivers give as bytes, and its memory."""
    nvml = FakeNvml(["RTX 4090", b"Tesla T4"])

    assert [gpu.memory for gpu in read_nvidia_states(lambda: nvml)] == [
        GpuMemory(name="RTX 4090", total_bytes=24, free_bytes=8, vendor="NVIDIA"),
        GpuMemory(name="Tesla T4", total_bytes=48, free_bytes=16, vendor="NVIDIA"),
    ]
    assert nvml.calls == ["init", "shutdown"]


def test_unresponsive_gpu_is_left_out() -> None:
    """A lost GPU does not hide the others."""
    gpus = read_nvidia_states(lambda: FakeNvml(["a", "b"], lost=frozenset({0})))

    assert [gpu.memory.name for gpu in gpus] == ["b"]


def test_without_library_or_driver_there_are_none() -> None:
    """No library, no driver, or a driver that fails in the middle: no GPUs, no error."""
    broken = FakeNvml(["a"])
    broken.nvmlInit = lambda: _raise(RuntimeError("Driver Not Loaded"))  # type: ignore[method-assign]
    uncountable = FakeNvml(["a"])
    uncountable.nvmlDeviceGetCount = lambda: _raise(OSError())  # type: ignore[method-assign]
    uncountable.nvmlShutdown = lambda: _raise(OSError())  # type: ignore[method-assign]

    assert read_nvidia_states(lambda: _raise(ImportError())) == ()
    assert read_nvidia_states(lambda: broken) == ()
    assert read_nvidia_states(lambda: uncountable) == ()


def test_stuck_driver_times_out() -> None:
    """A driver that does not respond in time counts as none."""
    release = threading.Event()

    def hang() -> FakeNvml:
        release.wait()
        return FakeNvml(["late"])

    assert read_nvidia_states(hang, timeout_s=0.01) == ()
    release.set()


def test_processes_of_a_gpu() -> None:
    """Processes of CUDA and of Vulkan have their memory; one whose memory is hidden is left out."""
    nvml: Any = FakeNvml(["a", "b"])
    cuda = [SimpleNamespace(pid=7, usedGpuMemory=5), SimpleNamespace(pid=8, usedGpuMemory=None)]
    vulkan = [SimpleNamespace(pid=7, usedGpuMemory=5), SimpleNamespace(pid=9, usedGpuMemory=6)]
    nvml.nvmlDeviceGetComputeRunningProcesses = lambda handle: cuda if handle == 0 else []
    nvml.nvmlDeviceGetGraphicsRunningProcesses = lambda handle: (
        vulkan if handle == 0 else _raise(RuntimeError("Not Supported"))
    )
    first, second = read_nvidia_states(lambda: nvml)
    assert (first.memory.name, first.process_bytes) == ("a", {7: 5, 9: 6})
    assert second.process_bytes == {}
