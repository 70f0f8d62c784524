"""Finds the control groups of this process below a root directory that tests may choose. Linux only."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gglib.system.virtual_files import read_text

_OWN_GROUPS = "proc/self/cgroup"
_MOUNT = "sys/fs/cgroup"


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """The directory of a control group."""

    version: int
    """1 or 2; the names of its files depend on it."""
    path: Path


def control_groups(root: Path, controller: str) -> Iterator[ControlGroup]:
    """Yield each group of this process that may have the controller, the innermost first. Never raises.

    A limit of a group applies to its subgroups. A container often sees its own group as the mount itself.
    """
    for line in read_text(root / _OWN_GROUPS).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            version, mount = 2, root / _MOUNT
        elif controller in controllers.split(","):
            version, mount = 1, root / _MOUNT / controller
        else:
            continue
        inside = PurePosixPath(path.lstrip("/"))
        if ".." in inside.parts:  # a group outside this process's namespace
            inside = PurePosixPath()
        for group in (inside, *inside.parents):
            yield ControlGroup(version, mount / group)
