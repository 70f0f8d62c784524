"""Whether a home is the one its catalogue was last used with: every case of the decision."""

from dataclasses import replace

import pytest

from gglib.core.versions import HomeIdentity
from gglib.library.homes.identity import (
    Evidence,
    HomeLocation,
    HomeMark,
    HomeState,
    classify,
    decode_mark,
    encode_mark,
    identity_at,
    is_known_share,
)
from gglib.system.files.small_files import parse_json

ID, OTHER_ID = "a" * 32, "b" * 32
HERE = HomeLocation(device=1, inode=10, models_device=1, models_inode=11)
MARK, OTHER_MARK = HomeMark(id=ID, path="/home", inode=10), HomeMark(id=OTHER_ID, path="/other", inode=30)
ALONE = Evidence(is_shared=False, is_original_elsewhere=False)
WITH_ORIGINAL = Evidence(is_shared=False, is_original_elsewhere=True)
WITH_SHARER = Evidence(is_shared=True, is_original_elsewhere=False)
WITH_BOTH = Evidence(is_shared=True, is_original_elsewhere=True)


def recorded(
    device: int = 1, inode: int = 10, models_device: int = 1, models_inode: int = 11
) -> HomeIdentity:
    """Return the catalogue's record; by default of this place."""
    place = HomeLocation(device=device, inode=inode, models_device=models_device, models_inode=models_inode)
    return identity_at(place, ID)


ELSEWHERE = recorded(inode=20, models_inode=21)
ON_ANOTHER_DISK = recorded(device=2, models_device=2)


@pytest.mark.parametrize(
    ("identity", "mark", "evidence", "state"),
    [
        (recorded(), MARK, ALONE, HomeState.SAME),
        (recorded(), MARK, WITH_SHARER, HomeState.SAME),
        (None, None, ALONE, HomeState.NEW),
        (None, OTHER_MARK, ALONE, HomeState.NEW),
        (None, None, WITH_SHARER, HomeState.SHARED),
        (None, OTHER_MARK, WITH_SHARER, HomeState.SHARED),
        (None, OTHER_MARK, replace(WITH_SHARER, is_marked_here=True), HomeState.NEW),
        (recorded(), None, ALONE, HomeState.UNMARKED),
        (recorded(), OTHER_MARK, ALONE, HomeState.UNMARKED),
        (recorded(), OTHER_MARK, WITH_SHARER, HomeState.SHARED),
        (recorded(models_inode=21), None, ALONE, HomeState.DETACHED),
        (recorded(models_inode=21), MARK, ALONE, HomeState.MOVED),
        (recorded(models_inode=21), MARK, WITH_SHARER, HomeState.MOVED),
        (recorded(models_inode=21), OTHER_MARK, WITH_SHARER, HomeState.SHARED),
        (recorded(models_device=2), MARK, ALONE, HomeState.RENUMBERED),
        (ON_ANOTHER_DISK, MARK, ALONE, HomeState.RENUMBERED),
        (ON_ANOTHER_DISK, MARK, WITH_ORIGINAL, HomeState.COPIED),
        (ON_ANOTHER_DISK, OTHER_MARK, ALONE, HomeState.MOVED),
        (recorded(inode=20), MARK, ALONE, HomeState.RELOCATED),
        (recorded(inode=20), MARK, WITH_BOTH, HomeState.SHARED),
        (ELSEWHERE, MARK, ALONE, HomeState.MOVED),
        (ELSEWHERE, MARK, WITH_ORIGINAL, HomeState.COPIED),
        (ELSEWHERE, None, ALONE, HomeState.COPIED),
        (ELSEWHERE, MARK, WITH_BOTH, HomeState.SHARED),
    ],
)
def test_each_case(
    identity: HomeIdentity | None, mark: HomeMark | None, evidence: Evidence, state: HomeState
) -> None:
    """The place, the mark and the other files decide, in the order of the module's docstring."""
    assert classify(identity, HERE, mark, evidence) is state


def test_mark_round_trip() -> None:
    """All three fields survive, including a name that is not ASCII."""
    mark = HomeMark(id=ID, path="/hôme/ada", inode=1 << 63, seen="c" * 32)
    assert decode_mark(parse_json(encode_mark(mark))) == mark


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        {},
        {"format": 2, "id": ID, "path": "/home", "inode": 1, "seen": ""},
        {"format": 1, "id": "short", "path": "/home", "inode": 1, "seen": ""},
        {"format": 1, "id": ID, "path": 3, "inode": 1, "seen": ""},
        {"format": 1, "id": ID, "path": "/home", "inode": True, "seen": ""},
        {"format": 1, "id": ID, "path": "/home", "inode": 1},
    ],
)
def test_invalid_mark_is_refused(fields: object) -> None:
    """Anything else in the place of a mark is a ValueError."""
    with pytest.raises(ValueError, match="it is not a valid home mark"):
        decode_mark(fields)


@pytest.mark.parametrize(
    ("identity", "mark", "has_share_file", "holds"),
    [
        (recorded(), OTHER_MARK, True, True),
        (recorded(), OTHER_MARK, False, False),
        (recorded(), MARK, True, False),
        (recorded(), None, True, False),
        (None, OTHER_MARK, True, False),
        (ELSEWHERE, OTHER_MARK, True, False),
    ],
)
def test_shared_home_stays_shared(
    identity: HomeIdentity | None, mark: HomeMark | None, *, has_share_file: bool, holds: bool
) -> None:
    """Until the other home's mark is gone, or this home is in another place."""
    assert is_known_share(identity, HERE, mark, has_share_file=has_share_file) is holds
