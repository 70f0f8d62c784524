"""The memory need of a model, the memory of a machine, and the verdict on both. Sizes in bytes. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from gglib.core.sizes import format_size

RAM = "ram"
"""The device name of the RAM. GPUs are ``gpu0``, ``gpu1`` and so on, in the order of ``MachineMemory.gpus``."""

DeviceBytes = Mapping[str, int]
"""Bytes by device name. A missing device means 0 for a size, and no limit for a limit."""


OUT_OF_MEMORY_SHARE = 5
"""A load that ran out of memory is expected to take a fifth more the next time."""


def after_out_of_memory(size: DeviceBytes, limits: DeviceBytes) -> dict[str, int]:
    """Return what a load of an expected ``size`` that ran out of memory is expected to take the next time.

    On each device a fifth more, but not more than the limit, and not less than before: a model that fits alone can be
    tried again.
    """
    return {
        device: max(taken, min(taken + taken // OUT_OF_MEMORY_SHARE, limits.get(device, 2 * taken)))
        for device, taken in size.items()
    }


def exceeded_devices(needed: DeviceBytes, limits: DeviceBytes) -> tuple[str, ...]:
    """Return the devices on which ``needed`` is above the limit, in the order of ``needed``."""
    return tuple(device for device, size in needed.items() if size > limits.get(device, size))


def describe_device_bytes(sizes: DeviceBytes, devices: Iterable[str] | None = None) -> str:
    """Return sizes as words, of all devices or of the given ones: ``4.0 GB of RAM and 8.0 GB on gpu0``."""
    return " and ".join(
        f"{format_size(sizes.get(device, 0))} {'of RAM' if device == RAM else f'on {device}'}"
        for device in (sizes if devices is None else devices)
    )


class Fit(Enum):
    """Whether a model can run in the free memory."""

    FITS = "fits"
    TIGHT = "tight"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """The memory that a running model takes, by purpose."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    overhead_bytes: int
    left_behind_bytes: int = 0
    """Weights that the engine has repacked for the CPU. The original pages are not part of the total: they stay in the
    page cache until another process needs the memory."""
    is_exact: bool
    """Whether the shape comes from the model's header; else it is estimated from the file size."""

    @property
    def total_bytes(self) -> int:
        """The total need."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes + self.overhead_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMemory:
    """The memory of the RAM or of one GPU, in use by any program or not; None where the system reports nothing."""

    total_bytes: int | None
    available_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuMemory:
    """The memory of one GPU."""

    name: str
    total_bytes: int
    free_bytes: int
    vendor: str = ""
    """The maker as users know it: ``NVIDIA``, ``AMD``, ``Intel``; empty: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineMemory:
    """A snapshot of a machine's memory; None where the system reports nothing."""

    total_bytes: int | None
    available_bytes: int | None
    gpus: tuple[GpuMemory, ...] = ()
