"""Reads the video memory of ROCm's processes from ``/sys/class/kfd`` below a root directory. Never raises.

amdkfd lists each process that computes (``proc/PID/vram_GPUID``, in bytes), and each GPU with its id and its place on
the PCI bus (``topology/nodes/N``).
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gglib.system.virtual_files import read_text

_KFD = "sys/class/kfd/kfd"
_PROPERTY = re.compile(r"^(domain|location_id) (\d+)$", re.MULTILINE)


def read_kfd_bytes(root: Path) -> dict[str, dict[int, int]]:
    """Return the video memory of each process, by the PCI address of the card."""
    found: dict[str, dict[int, int]] = {}
    for gpu_id, address in _addresses(root / _KFD / "topology/nodes"):
        sizes = {pid: size for pid, size in _sizes(root / _KFD / "proc", f"vram_{gpu_id}") if size}
        if sizes:
            found[address] = sizes
    return found


def _addresses(nodes: Path) -> Iterator[tuple[str, str]]:
    """Yield the id and the PCI address of each GPU; the id of a node without one is 0."""
    for node in _entries(nodes):
        gpu_id = read_text(node / "gpu_id").strip()
        values = dict(_PROPERTY.findall(read_text(node / "properties")))
        if gpu_id.isdecimal() and int(gpu_id) and "location_id" in values:
            yield gpu_id, _address(int(values.get("domain", 0)), int(values["location_id"]))


def _address(domain: int, location: int) -> str:
    """Return the address of a location: 8 bits of bus, 5 of device, 3 of function."""
    return f"{domain:04x}:{location >> 8 & 0xFF:02x}:{location >> 3 & 0x1F:02x}.{location & 7}"


def _sizes(processes: Path, name: str) -> Iterator[tuple[int, int]]:
    for process in _entries(processes):
        text = read_text(process / name).strip()
        if process.name.isdecimal() and text.isdecimal():
            yield int(process.name), int(text)


def _entries(directory: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(directory.iterdir())
    return []
