"""Reads the GPUs of AMD and Intel from Linux's ``/sys`` below a root directory that tests may choose. Never raises.

- amdgpu (docs.kernel.org/gpu/amdgpu): ``mem_info_vram_total`` and ``mem_info_vram_used``.
- xe: ``tile*/physical_vram_size_bytes``, with the part that the driver keeps. It does not say how much is used: what
  the processes that this user may see have, counts.
- i915: ``lmem_total_bytes``, only in Intel's own releases of the driver; used as with xe.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gglib.core.memory import GpuMemory
from gglib.system.drm_clients import read_client_bytes
from gglib.system.gpu_kinds import LEAST_OWN_BYTES, GpuState, GpuVendor
from gglib.system.kfd import read_kfd_bytes
from gglib.system.virtual_files import read_text

_CARDS = "sys/class/drm"
_CARD = re.compile(r"card\d+")
"""Others are connectors (``card1-HDMI-A-1``) and render nodes."""
_VENDORS = {"0x10de": GpuVendor.NVIDIA, "0x1002": GpuVendor.AMD, "0x8086": GpuVendor.INTEL}
"""PCI vendor ids (https://pci-ids.ucw.cz). Others are displays of servers and virtual machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrmCard:
    """A graphics card of a maker that llama.cpp has backends for."""

    vendor: GpuVendor
    address: str
    """Its PCI address: ``0000:03:00.0``; the name of the card if it has none."""
    product: str = ""
    """Its name, which few drivers know."""
    total_bytes: int | None = None
    """The video memory; None: unknown, or it uses the RAM."""
    used_bytes: int | None = None
    """By any program; None: unknown."""

    @property
    def name(self) -> str:
        """The name with its maker."""
        maker = self.vendor.value
        return self.product if self.product.startswith(maker) else f"{maker} {self.product or 'GPU'}"


def read_drm_cards(root: Path) -> tuple[DrmCard, ...]:
    """Return the cards in the order of their addresses, also those of NVIDIA."""
    names: list[Path] = []
    with suppress(OSError):
        names = [path for path in (root / _CARDS).iterdir() if _CARD.fullmatch(path.name)]
    found = (_card(path) for path in names)
    return tuple(sorted((card for card in found if card is not None), key=lambda card: card.address))


def read_drm_states(root: Path) -> tuple[GpuState, ...]:
    """Return the states of the cards of AMD and Intel that have memory of their own.

    The processes are read only if there is such a card: their descriptors are in a directory for each. Those of other
    users are not shown to a user.
    """
    cards = [card for card in read_drm_cards(root) if card.vendor is not GpuVendor.NVIDIA]
    own = [card for card in cards if (card.total_bytes or 0) >= LEAST_OWN_BYTES]
    if not own:
        return ()
    clients, compute = read_client_bytes(root), read_kfd_bytes(root)
    return tuple(_state(card, _larger(clients, compute, card.address)) for card in own)


def _card(path: Path) -> DrmCard | None:
    """Return a card; None for a display of another maker."""
    device = path / "device"
    vendor = _VENDORS.get(_text(device / "vendor"))
    if vendor is None:
        return None
    return DrmCard(
        vendor=vendor,
        address=_address(device) or path.name,
        product=_text(device / "product_name"),
        total_bytes=_total_bytes(path, device),
        used_bytes=_number(device / "mem_info_vram_used"),
    )


def _address(device: Path) -> str:
    """Return the PCI address; empty for a card that is on another bus."""
    found = re.search(r"^PCI_SLOT_NAME=(\S+)$", read_text(device / "uevent"), re.MULTILINE)
    return "" if found is None else found[1]


def _total_bytes(card: Path, device: Path) -> int | None:
    tiles = [size for path in _tiles(device) if (size := _number(path / "physical_vram_size_bytes"))]
    totals = (
        _number(device / "mem_info_vram_total"),
        sum(tiles) or None,
        _number(card / "lmem_total_bytes"),
    )
    return next((size for size in totals if size), None)


def _tiles(device: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(device.glob("tile[0-9]*"))


def _state(card: DrmCard, process_bytes: Mapping[int, int]) -> GpuState:
    total = card.total_bytes or 0
    used = sum(process_bytes.values()) if card.used_bytes is None else card.used_bytes
    memory = GpuMemory(
        name=card.name, total_bytes=total, free_bytes=max(0, total - used), vendor=card.vendor.value
    )
    return GpuState(memory, process_bytes)


def _larger(
    clients: Mapping[str, Mapping[int, int]], compute: Mapping[str, Mapping[int, int]], address: str
) -> dict[int, int]:
    """Return the memory of each process by both sources: ROCm's allocations may be in one or in both of them."""
    first, second = clients.get(address, {}), compute.get(address, {})
    return {pid: max(first.get(pid, 0), second.get(pid, 0)) for pid in sorted({*first, *second})}


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isascii() and text.isdecimal() else None


def _text(path: Path) -> str:
    return read_text(path).strip()
