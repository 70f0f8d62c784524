"""What a launch takes before it is measured."""

from dataclasses import dataclass
from pathlib import Path

from gglib.app.memory.fitting import size_and_mtime
from gglib.core.memory import DeviceBytes, MemoryNeed
from gglib.core.models import ModelLaunchSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedLaunch:
    """What a launch takes before it is measured."""

    key: str
    """Identifies the measured peak: the same content with the same options."""
    need: MemoryNeed
    estimated: DeviceBytes
    prompt_cache_bytes: int = 0
    is_warmed_up: bool
    """Whether the engine computes once before it is ready. Otherwise a first measurement lacks what that touches: its
    compute buffers, a GPU's kernels and libraries."""
    is_stated: bool = False
    """Whether ``estimated`` is what the user states: then a measured peak does not replace it."""


def launched_files(spec: ModelLaunchSpec) -> list[tuple[Path, int, int]]:
    """Return path, size and time of each file: of the launch if ``spec`` has its marks, else as they are now."""
    if len(spec.marks) == len(spec.files):
        marks = zip(spec.files, spec.marks, strict=True)
        return [(path, mark.size_bytes, mark.modified_ns) for path, mark in marks]
    return [(path, *size_and_mtime(path)) for path in spec.files]
