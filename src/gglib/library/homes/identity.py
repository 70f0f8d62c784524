"""Classifies a home: unchanged, moved, copied, or sharing its ``models/`` with another home. Pure.

The catalogue records the home directory and its ``models/`` by device and inode; ``models/.home`` has the same id
(``HomeMark``). A copy has the same id and other inodes, and its records describe the original's files. The cases, in
order:

1. Nothing differs: ``SAME``.
2. Another home in use has the same ``models/``, and the mark is not this home's: ``SHARED``.
3. The catalogue has no recorded identity: ``NEW``.
4. The home directory is the recorded one:
   same ``models/`` (the mark is missing): ``UNMARKED``;
   another ``models/`` without a mark, as when a disk is not mounted: ``DETACHED``, until it has a version;
   another ``models/`` with a mark, because it was moved to another disk: ``MOVED``.
5. Both inodes match and the device number differs, as after a reboot, and the original is not elsewhere:
   ``RENUMBERED``.
6. Another home directory with the same ``models/``, which no other home uses: ``RELOCATED``.
7. Another home directory and another ``models/``: ``COPIED``, or ``MOVED`` if the original no longer exists.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gglib.core.versions import HomeIdentity

FORMAT = 1
_ID = re.compile(r"[0-9a-f]{32}")


class HomeState(StrEnum):
    """The state of a home compared with its catalogue's record."""

    SAME = "same"
    NEW = "new"
    UNMARKED = "unmarked"
    RENUMBERED = "renumbered"
    RELOCATED = "relocated"
    MOVED = "moved"
    """The same home on another file system: recorded devices and inodes are invalid, everything else is valid."""
    COPIED = "copied"
    """The original may still be in use, so its unfinished pulls are not this home's."""
    SHARED = "shared"
    """``models/`` belongs to another home, except for files that this home has added since."""
    DETACHED = "detached"
    """Records stay unchanged until the right ``models/`` is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeLocation:
    """The current location of a home: its directory and its ``models/``, links followed."""

    device: int
    inode: int
    models_device: int
    models_inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeMark:
    """The content of ``models/.home``."""

    id: str
    path: str
    """Path of the home when the mark was written: a hint for finding the original of a copy."""
    inode: int
    """Inode of the home directory, which identifies it after a rename."""
    seen: str = ""
    """Fingerprint of the recorded versions at the last scan of the disk (see ``reconcile``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Other facts from the disk, collected only if something differs."""

    is_shared: bool
    """Whether another home with a catalogue has the same ``models/``."""
    is_marked_here: bool = False
    """Whether the mark names this home directory as the owner of ``models/``."""
    is_original_elsewhere: bool
    """Whether the recorded home directory still exists, at its recorded path or nearby, and is not this one."""


def is_same(recorded: HomeIdentity | None, location: HomeLocation, mark: HomeMark | None) -> bool:
    """Whether nothing differs, the usual case."""
    return (
        recorded is not None
        and mark is not None
        and mark.id == recorded.id
        and is_recorded(recorded, location)
    )


def is_known_share(
    recorded: HomeIdentity | None, location: HomeLocation, mark: HomeMark | None, *, has_share_file: bool
) -> bool:
    """Whether ``models/`` is recorded as shared, and nothing differs since.

    It stays shared if the other home is not found, because that may have been moved. Without the other home's mark,
    ``models/`` belongs to this home.
    """
    is_others = recorded is not None and mark is not None and mark.id != recorded.id
    return has_share_file and is_others and recorded is not None and is_recorded(recorded, location)


def is_recorded(recorded: HomeIdentity, location: HomeLocation) -> bool:
    """Whether a home and its ``models/`` are at their recorded location."""
    return _location_of(recorded) == location


def classify(
    recorded: HomeIdentity | None, location: HomeLocation, mark: HomeMark | None, evidence: Evidence
) -> HomeState:
    """Return the state of the home; the cases are in the module docstring."""
    if is_same(recorded, location, mark):
        return HomeState.SAME
    is_its_mark = recorded is not None and mark is not None and mark.id == recorded.id
    is_owner = is_its_mark and recorded is not None and not _is_other(recorded, location)
    if evidence.is_shared and not is_owner and not (recorded is None and evidence.is_marked_here):
        return HomeState.SHARED
    if recorded is None:
        return HomeState.NEW
    return (_classify_other_directory if _is_other(recorded, location) else _classify_same_directory)(
        recorded, location, mark, evidence
    )


def _classify_other_directory(
    recorded: HomeIdentity, location: HomeLocation, mark: HomeMark | None, evidence: Evidence
) -> HomeState:
    """Return the state if the home directory is not the recorded one."""
    has_mark = mark is not None and mark.id == recorded.id
    if has_mark and _has_inodes(recorded, location) and not evidence.is_original_elsewhere:
        return HomeState.RENUMBERED
    if _has_models(recorded, location):
        return HomeState.RELOCATED
    return HomeState.COPIED if mark is None or evidence.is_original_elsewhere else HomeState.MOVED


def _classify_same_directory(
    recorded: HomeIdentity, location: HomeLocation, mark: HomeMark | None, _: Evidence
) -> HomeState:
    """Return the state if the home directory is the recorded one."""
    if _has_models(recorded, location):
        return HomeState.UNMARKED
    if mark is None:
        return HomeState.DETACHED
    if location.models_inode == recorded.models_inode and mark.id == recorded.id:
        return HomeState.RENUMBERED
    return HomeState.MOVED


def identity_at(location: HomeLocation, home_id: str) -> HomeIdentity:
    """Return the identity to record for a home at this location."""
    return HomeIdentity(
        id=home_id,
        device=location.device,
        inode=location.inode,
        models_device=location.models_device,
        models_inode=location.models_inode,
    )


def encode_mark(mark: HomeMark) -> bytes:
    """Return the content of ``models/.home``: one line of JSON."""
    fields = {"format": FORMAT, "id": mark.id, "path": mark.path, "inode": mark.inode, "seen": mark.seen}
    return json.dumps(fields).encode() + b"\n"


def decode_mark(fields: Any) -> HomeMark:  # noqa: ANN401 - JSON
    """Parse a mark from JSON. Raises ValueError if it is invalid."""
    try:
        texts, inode = [fields[key] for key in ("id", "path", "seen")], fields["inode"]
        if fields["format"] == FORMAT and type(inode) is int and all(isinstance(text, str) for text in texts):
            home_id, path, seen = texts
            if _ID.fullmatch(home_id):
                return HomeMark(id=home_id, path=path, inode=inode, seen=seen)
    except (KeyError, TypeError):
        pass
    raise ValueError("it is not a valid home mark")


def _location_of(recorded: HomeIdentity) -> HomeLocation:
    return HomeLocation(
        device=recorded.device,
        inode=recorded.inode,
        models_device=recorded.models_device,
        models_inode=recorded.models_inode,
    )


def _is_other(recorded: HomeIdentity, location: HomeLocation) -> bool:
    return (recorded.device, recorded.inode) != (location.device, location.inode)


def _has_models(recorded: HomeIdentity, location: HomeLocation) -> bool:
    return (recorded.models_device, recorded.models_inode) == (location.models_device, location.models_inode)


def _has_inodes(recorded: HomeIdentity, location: HomeLocation) -> bool:
    return (recorded.inode, recorded.models_inode) == (location.inode, location.models_inode)
