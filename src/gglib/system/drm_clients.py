"""Reads how much video memory each process has, from ``/proc/PID/fdinfo`` below a root directory. Never raises.

The form is that of docs.kernel.org/gpu/drm-usage-stats: a file for each open ``/dev/dri`` descriptor, with lines such
as ``drm-memory-vram: 5242880 KiB``. The regions of video memory are ``vram`` (amdgpu), ``vram0`` (xe) and ``local0``
(i915); the others are RAM. A kernel has some of ``drm-resident-``, ``drm-memory-`` (older) and ``drm-total-``.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gglib.system.virtual_files import read_text

_DEVICES = "/dev/dri/"
_LINE = re.compile(r"^drm-([a-z0-9-]+):[ \t]*(\S+)(?:[ \t]+([KMG]iB))?[ \t]*$", re.MULTILINE)
_UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_REGION = re.compile(r"(resident|memory|total)-((?:vram|local)\d*)")
_KEYS = ("resident", "memory", "total")
"""The best first: ``total`` has also what is not in the video memory at the moment."""


@dataclass(frozen=True, slots=True)
class DrmClient:
    """One open descriptor of a card."""

    address: str
    """The PCI address of the card."""
    number: str
    """Identifies it: duplicated and inherited descriptors have the same. Empty in old kernels."""
    video_bytes: int


def read_client_bytes(root: Path) -> dict[str, dict[int, int]]:
    """Return the video memory of each process that this user may see, by the PCI address of the card.

    A descriptor that several processes share counts for the first of them.
    """
    found: dict[str, dict[int, int]] = {}
    seen: set[tuple[str, str]] = set()
    for pid, text in _descriptors(root / "proc"):
        client = parse_client(text)
        if client is None or (client.number and (client.address, client.number) in seen):
            continue
        seen.add((client.address, client.number))
        sizes = found.setdefault(client.address, {})
        if client.number:
            sizes[pid] = sizes.get(pid, 0) + client.video_bytes
        else:  # without a number, duplicates cannot be distinguished
            sizes[pid] = max(sizes.get(pid, 0), client.video_bytes)
    return found


def parse_client(text: str) -> DrmClient | None:
    """Return the client of one ``fdinfo`` file; None if it is none, or does not say which card. Pure."""
    values = {key: (value, unit) for key, value, unit in _LINE.findall(text)}
    address = values.get("pdev", ("", ""))[0]
    if "driver" not in values or not address:
        return None
    regions: dict[str, dict[str, int]] = {}
    for key, (value, unit) in values.items():
        region = _REGION.fullmatch(key)
        if region is not None and value.isascii() and value.isdecimal():
            regions.setdefault(region[2], {})[region[1]] = int(value) * _UNITS[unit]
    sizes = (next(sizes[key] for key in _KEYS if key in sizes) for sizes in regions.values())
    return DrmClient(address, values.get("client-id", ("", ""))[0], sum(sizes))


def _descriptors(proc: Path) -> Iterator[tuple[int, str]]:
    """Yield the ``fdinfo`` text of each descriptor of a graphics card, with the process id, in order of the ids."""
    with suppress(OSError):
        for pid in sorted(int(path.name) for path in proc.iterdir() if path.name.isdecimal()):
            for number in _card_descriptors(proc / str(pid) / "fd"):
                yield pid, read_text(proc / str(pid) / "fdinfo" / number)


def _card_descriptors(directory: Path) -> list[str]:
    """Return the numbers of the descriptors of cards; none of a process that is another user's or has exited."""
    found = []
    with suppress(OSError):
        for path in directory.iterdir():
            with suppress(OSError):
                if str(path.readlink()).startswith(_DEVICES):
                    found.append(path.name)
    return sorted(found)
