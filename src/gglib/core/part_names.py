"""Names of the files next to an incomplete download. Pure."""

from pathlib import Path

PART_SUFFIX = ".part"
PART_MANIFEST_SUFFIX = ".part.note"


def part_path(target: Path) -> Path:
    """Return the path of the partial file."""
    return target.with_name(target.name + PART_SUFFIX)


def part_manifest_path(target: Path) -> Path:
    """Return the path of the manifest that records which byte ranges have arrived."""
    return target.with_name(target.name + PART_MANIFEST_SUFFIX)
