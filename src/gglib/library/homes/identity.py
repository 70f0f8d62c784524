"""Decides whether a home is the one that its catalogue was last used as, or another place. Pure.

The catalogue records the home's directory and its ``models/`` by device and inode, and ``models/.home`` has the same id
(``HomeMark``). A copy has other inodes and the same id; what was recorded of its files is true of the original's. In
the order in which they are decided:

1. Nothing differs: ``SAME``.
2. Another home that is still used reaches the same ``models/``, and the mark there is not this one's: ``SHARED``.
3. The catalogue was never used with marks: ``NEW``.
4. The home's directory is the same one:
   its ``models/`` too (the mark is missing): ``UNMARKED``;
   another ``models/`` without a mark, as where a disk is not mounted: ``DETACHED``, until a version is there;
   another ``models/`` with a mark: it was moved to another disk: ``MOVED``.
5. Both have their inodes and another device number, as after a restart of the machine, and the original is not
   elsewhere: ``RENUMBERED``.
6. Another directory with the very same ``models/``, and no other home uses that: ``RELOCATED``.
7. Another directory and another ``models/``: ``COPIED``, but ``MOVED`` where the original is found no more.
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
    """What a home is to the catalogue in it."""

    SAME = "same"
    NEW = "new"
    UNMARKED = "unmarked"
    RENUMBERED = "renumbered"
    RELOCATED = "relocated"
    MOVED = "moved"
    """The same home on another file system: devices and inodes of before mean nothing, everything else holds."""
    COPIED = "copied"
    """The original may still be used: its pulls are not this home's."""
    SHARED = "shared"
    """What lies in ``models/`` is another home's, but for what this home put there since it is so."""
    DETACHED = "detached"
    """What was recorded stays as it is, until the right ``models/`` is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeLocation:
    """Where a home is now: its directory and its ``models/``, links followed."""

    device: int
    inode: int
    models_device: int
    models_inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeMark:
    """The content of ``models/.home``."""

    id: str
    path: str
    """Where the home was when this was written: a hint of where to look for the original of a copy, no more."""
    inode: int
    """Of the home's directory: where it may have been renamed, it is known by that."""
    seen: str = ""
    """See ``reconcile``: which versions were known when the disk was last searched for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What else is on the disk; looked for only where something differs."""

    is_shared: bool
    """Whether another home with a catalogue reaches the same ``models/``."""
    is_marked_here: bool = False
    """Whether the mark says that ``models/`` is the home's in this directory."""
    is_original_elsewhere: bool
    """Whether the directory that the catalogue recorded is another one than this home, where it was or beside."""


def is_same(recorded: HomeIdentity | None, place: HomeLocation, mark: HomeMark | None) -> bool:
    """Whether nothing differs: what all but a few commands find."""
    return (
        recorded is not None and mark is not None and mark.id == recorded.id and is_recorded(recorded, place)
    )


def is_known_share(
    recorded: HomeIdentity | None, place: HomeLocation, mark: HomeMark | None, *, is_noted: bool
) -> bool:
    """Whether ``models/`` was found to be another home's, and nothing differs since.

    That stays so when the other home is not found any more: it may have been moved. Without its mark it is this home's.
    """
    is_others = recorded is not None and mark is not None and mark.id != recorded.id
    return is_noted and is_others and recorded is not None and is_recorded(recorded, place)


def is_recorded(recorded: HomeIdentity, place: HomeLocation) -> bool:
    """Whether a home and its ``models/`` are where they were recorded."""
    return _place_of(recorded) == place


def classify(
    recorded: HomeIdentity | None, place: HomeLocation, mark: HomeMark | None, evidence: Evidence
) -> HomeState:
    """Return what the home is; the cases are those of this module's docstring."""
    if is_same(recorded, place, mark):
        return HomeState.SAME
    is_its_mark = recorded is not None and mark is not None and mark.id == recorded.id
    is_owner = is_its_mark and recorded is not None and not _is_other(recorded, place)
    if evidence.is_shared and not is_owner and not (recorded is None and evidence.is_marked_here):
        return HomeState.SHARED
    if recorded is None:
        return HomeState.NEW
    return (_judge_elsewhere if _is_other(recorded, place) else _judge_models)(
        recorded, place, mark, evidence
    )


def _judge_elsewhere(
    recorded: HomeIdentity, place: HomeLocation, mark: HomeMark | None, evidence: Evidence
) -> HomeState:
    """Return what it is where the home's own directory is another one than was recorded."""
    has_mark = mark is not None and mark.id == recorded.id
    if has_mark and _has_inodes(recorded, place) and not evidence.is_original_elsewhere:
        return HomeState.RENUMBERED
    if _has_models(recorded, place):
        return HomeState.RELOCATED
    return HomeState.COPIED if mark is None or evidence.is_original_elsewhere else HomeState.MOVED


def _judge_models(
    recorded: HomeIdentity, place: HomeLocation, mark: HomeMark | None, _: Evidence
) -> HomeState:
    """Return what it is where the home's own directory is the recorded one."""
    if _has_models(recorded, place):
        return HomeState.UNMARKED
    if mark is None:
        return HomeState.DETACHED
    if place.models_inode == recorded.models_inode and mark.id == recorded.id:
        return HomeState.RENUMBERED
    return HomeState.MOVED


def identity_at(place: HomeLocation, home_id: str) -> HomeIdentity:
    """Return what is recorded of a home that is here."""
    return HomeIdentity(
        id=home_id,
        device=place.device,
        inode=place.inode,
        models_device=place.models_device,
        models_inode=place.models_inode,
    )


def encode_mark(mark: HomeMark) -> bytes:
    """Return the content of ``models/.home``: one line of JSON."""
    fields = {"format": FORMAT, "id": mark.id, "path": mark.path, "inode": mark.inode, "seen": mark.seen}
    return json.dumps(fields).encode() + b"\n"


def decode_mark(fields: Any) -> HomeMark:  # noqa: ANN401 - JSON
    """Return the mark that parsed JSON says. Raises ValueError for what is none."""
    try:
        texts, inode = [fields[key] for key in ("id", "path", "seen")], fields["inode"]
        if fields["format"] == FORMAT and type(inode) is int and all(isinstance(text, str) for text in texts):
            home_id, path, seen = texts
            if _ID.fullmatch(home_id):
                return HomeMark(id=home_id, path=path, inode=inode, seen=seen)
    except (KeyError, TypeError):
        pass
    raise ValueError("it is not the mark of a home")


def _place_of(recorded: HomeIdentity) -> HomeLocation:
    return HomeLocation(
        device=recorded.device,
        inode=recorded.inode,
        models_device=recorded.models_device,
        models_inode=recorded.models_inode,
    )


def _is_other(recorded: HomeIdentity, place: HomeLocation) -> bool:
    return (recorded.device, recorded.inode) != (place.device, place.inode)


def _has_models(recorded: HomeIdentity, place: HomeLocation) -> bool:
    return (recorded.models_device, recorded.models_inode) == (place.models_device, place.models_inode)


def _has_inodes(recorded: HomeIdentity, place: HomeLocation) -> bool:
    return (recorded.inode, recorded.models_inode) == (place.inode, place.models_inode)
