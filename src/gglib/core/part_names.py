"""What the files are called that lie beside a file while it comes. Pure."""

from pathlib import Path

PART_SUFFIX = ".part"
PART_MANIFEST_SUFFIX = ".part.note"


def part_path(target: Path) -> Path:
    """Return where the bytes of a file are until it is whole."""
    return target.with_name(target.name + PART_SUFFIX)


def part_manifest_path(target: Path) -> Path:
    """Return where it says which bytes these are."""
    return target.with_name(target.name + PART_MANIFEST_SUFFIX)
