"""Looks where a home is, and carries out what ``home`` decides of it. Blocks, but for what asks the catalogue."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gglib.core.ports.versions import VersionStorePort
from gglib.core.versions import FileIdentity, HomeIdentity, Version
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
    is_recorded,
    is_same,
)
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.layout import INCOMING_NAME, KEY
from gglib.library.versions.ownership import identity_from, status_of
from gglib.library.versions.shares import (
    is_shared,
    remove_share,
    write_durably,
    write_share,
)
from gglib.system.files.durable import sync
from gglib.system.files.small_files import parse_json, read_small, warn_skipped_once
from gglib.system.threads import run_to_completion

MARK_NAME = ".home"
"""Inside ``models/``, which may be reached from more than one home."""
_DRAFT_NAME = ".home.draft"
MAX_LOOKED_AT = 5_000
"""Directories, in search of a home that may have been renamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A home as it is reached now."""

    directory: Path
    models_dir: Path
    database: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeInspection:
    """What is known of a home before anything is done about it."""

    recorded: HomeIdentity | None
    place: HomeLocation
    mark: HomeMark | None
    state: HomeState
    owner: Path | None = None
    """Of a shared ``models/``: the other home."""


def find_unchanged(home: Home, recorded: HomeIdentity | None) -> HomeInspection | None:
    """Return the home where nothing differs, else None: a few looks and small files. Raises OSError."""
    place, mark = read_location(home), read_mark(home)
    if is_same(recorded, place, mark):
        return HomeInspection(recorded=recorded, place=place, mark=mark, state=HomeState.SAME)
    if is_known_share(recorded, place, mark, is_noted=is_shared(home.models_dir)):
        return HomeInspection(recorded=recorded, place=place, mark=mark, state=HomeState.SHARED)
    return None


def inspect_home(home: Home, recorded: HomeIdentity | None, files: Iterable[Path]) -> HomeInspection:
    """Return what the home is, others looked at, too; ``files`` are those of the rows. Raises OSError."""
    place, mark = read_location(home), read_mark(home)
    inodes = {mark.inode} if mark is not None else set()
    inodes |= {recorded.inode} if recorded is not None else set()
    near = tuple(_neighbours(home, mark, inodes, files))
    owner = next((directory for directory in near if _reaches(directory, home)), None)
    evidence = Evidence(
        is_shared=owner is not None,
        is_marked_here=mark is not None and _is_here(mark, home),
        is_original_elsewhere=recorded is not None
        and any(_is_original(directory, home, recorded) for directory in near),
    )
    state = classify(recorded, place, mark, evidence)
    return HomeInspection(recorded=recorded, place=place, mark=mark, state=state, owner=owner)


async def apply_inspection(home: Home, found: HomeInspection, store: VersionStorePort) -> HomeIdentity:
    """Have the catalogue and the mark say where the home is, and forget what is true of another place only.

    Everything that is another home's is forgotten first and the place is recorded last: what is killed in between is
    found again as it was. Raises ``CatalogError`` and OSError.
    """
    match found.state:
        case HomeState.SAME | HomeState.DETACHED:
            assert found.recorded is not None  # noqa: S101 - by ``classify``
            return found.recorded
        case HomeState.SHARED:
            return await _settle_shared(home, found, store)
        case HomeState.MOVED | HomeState.COPIED:
            identity = await _settle_elsewhere(home, found, store)
        case _:
            await _renumber(found, store)
            home_id = new_id() if found.recorded is None else found.recorded.id
            identity = identity_at(found.place, home_id)
            if identity != found.recorded:
                await store.record_home(identity, resets_identities=False)
    await run_to_completion(remove_share, home.directory)
    with contextlib.suppress(
        OSError
    ):  # a full disk: the catalogue knows, and the mark is written by a later open
        await run_to_completion(write_mark, home, identity.id, "")
    return identity


def has_files_of(versions: Iterable[Version]) -> bool:
    """Whether a file of a version is here: another ``models/`` without a mark is used since, so it is the right one."""
    return any(
        file.identity == identity_from(status)
        for version in versions
        for file in version.files
        if (status := status_of(file.path)) is not None
    )


def new_id() -> str:
    """Return an id that no home has."""
    return secrets.token_hex(16)


def read_location(home: Home) -> HomeLocation:
    """Return where the home is. Raises OSError."""
    own, models = home.directory.stat(), home.models_dir.stat()
    return HomeLocation(
        device=own.st_dev, inode=own.st_ino, models_device=models.st_dev, models_inode=models.st_ino
    )


def read_mark(home: Home) -> HomeMark | None:
    """Return the mark of ``models/``; None where there is none, or something else in its place."""
    path = home.models_dir / MARK_NAME
    try:
        return decode_mark(parse_json(read_small(path)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        warn_skipped_once(path, error)
        return None


def write_mark(home: Home, home_id: str, seen: str, *, owner: Path | None = None) -> None:
    """Write the mark durably; nothing where something that gglib did not write is in its place. Raises OSError.

    ``owner`` is the home that it is written for; None: this one.
    """
    directory = owner or home.directory
    path = home.models_dir / MARK_NAME
    if os.path.lexists(path) and read_mark(home) is None:
        return
    draft = path.with_name(_DRAFT_NAME)
    mark = HomeMark(id=home_id, path=os.path.realpath(directory), inode=directory.stat().st_ino, seen=seen)
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()  # of a gglib that was killed: never written to, for it may be a link by now
    try:
        write_durably(draft, encode_mark(mark))
        draft.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    sync(home.models_dir)


def _neighbours(
    home: Home, mark: HomeMark | None, inodes: Container[int], files: Iterable[Path]
) -> Iterator[Path]:
    """Yield the directories that may be the home of which this is a copy, or with which it shares ``models/``.

    Where the mark says; near there, where its inode is, for it may have been renamed; where ``models/`` lies when its
    link is followed; where files of rows lie.
    """
    if mark is not None and Path(mark.path).is_absolute():
        yield Path(mark.path)
        yield from _near(Path(mark.path), home, inodes)
    yield Path(os.path.realpath(home.models_dir)).parent
    roots = {
        parent.parent
        for file in files
        if not file.is_relative_to(home.models_dir)
        for parent in file.parents
        if parent.name == home.models_dir.name
    }
    yield from sorted(roots)


def _near(place: Path, home: Home, inodes: Container[int]) -> Iterator[Path]:
    """Yield the directories with these inodes around a place where a home was: a look at names, bounded."""
    left = [MAX_LOOKED_AT]
    for root, depth in ((place.parent, 2), (home.directory.parent, 1), (place.parent.parent, 2)):
        yield from _with_inode(root, inodes, depth, left)


def _with_inode(directory: Path, inodes: Container[int], depth: int, left: list[int]) -> Iterator[Path]:
    try:
        with os.scandir(directory) as opened:
            entries = [entry for entry in opened if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    left[0] -= len(entries)
    yield from (Path(entry) for entry in entries if entry.inode() in inodes)
    for entry in entries if depth > 1 else ():
        if left[0] > 0:
            yield from _with_inode(Path(entry), inodes, depth - 1, left)


def _reaches(directory: Path, home: Home) -> bool:
    """Whether a directory is another home, which is used, of the same ``models/``."""
    try:
        return (
            _is_other_home(directory, home)
            and (directory / home.database.name).is_file()
            and (directory / home.models_dir.name).samefile(home.models_dir)
        )
    except (OSError, ValueError):
        return False


def _is_here(mark: HomeMark, home: Home) -> bool:
    try:
        return Path(mark.path).samefile(home.directory)
    except (OSError, ValueError):
        return False


def _is_other_home(directory: Path, home: Home) -> bool:
    return not directory.samefile(home.directory)


def _is_original(directory: Path, home: Home, recorded: HomeIdentity) -> bool:
    """Whether a directory is the one that was recorded, whatever number its device has now."""
    try:
        return _is_other_home(directory, home) and directory.stat().st_ino == recorded.inode
    except (OSError, ValueError):
        return False


async def _settle_elsewhere(home: Home, found: HomeInspection, store: VersionStorePort) -> HomeIdentity:
    is_moved = found.state is HomeState.MOVED
    if is_moved:
        await run_to_completion(partial(_drop_incoming, home, is_all=False))
    else:
        versions = await store.list_versions()
        foreign = await asyncio.to_thread(_foreign, home, versions)
        await _forget(foreign, store)
        await run_to_completion(partial(_drop_incoming, home, is_all=True))
    identity = identity_at(found.place, new_id())
    await store.record_home(identity, resets_identities=True, keeps_pulls=is_moved)
    return identity


async def _settle_shared(home: Home, found: HomeInspection, store: VersionStorePort) -> HomeIdentity:
    if found.recorded is not None and is_recorded(found.recorded, found.place):
        identity = found.recorded
    else:
        await _forget(await store.list_versions(), store)
        identity = identity_at(found.place, new_id())
    if found.mark is None and found.owner is not None:
        # Of an older gglib, which writes none: without it the next look would find no owner.
        await run_to_completion(partial(write_mark, home, new_id(), "", owner=found.owner))
    await run_to_completion(write_share, home.directory, identity.id)
    if identity is not found.recorded:
        await store.record_home(identity, resets_identities=True)
    return identity


async def _renumber(found: HomeInspection, store: VersionStorePort) -> None:
    """Have the identities of files say the device numbers of now, where nothing else of the files differs."""
    if found.state is HomeState.RENUMBERED:
        versions = await store.list_versions()
        renumbered = await asyncio.to_thread(_renumbered, versions)
        if renumbered:
            await store.update_identities(renumbered)


def _renumbered(versions: Iterable[Version]) -> dict[Path, FileIdentity]:
    found = {}
    for file in (file for version in versions for file in version.files):
        status = status_of(file.path)
        if status is not None and file.identity.device is not None:
            now = identity_from(status)
            if now != file.identity and now == replace(file.identity, device=now.device):
                found[file.path] = now
    return found


def _foreign(home: Home, versions: Iterable[Version]) -> list[Version]:
    """Return the versions of a copied home that have the original's very files, through a link that was copied.

    A file of the copy has another inode than was recorded, and lies in its own ``models/``.
    """
    root = Path(os.path.realpath(home.models_dir))
    return [
        version
        for version in versions
        if any(_is_foreign(file.path, file.identity, root) for file in version.files)
    ]


def _is_foreign(path: Path, identity: FileIdentity, root: Path) -> bool:
    if not Path(os.path.realpath(path.parent)).is_relative_to(root):
        return True
    status = status_of(path)
    return status is not None and (status.st_dev, status.st_ino) == (identity.device, identity.inode)


async def _forget(versions: Iterable[Version], store: VersionStorePort) -> None:
    for version in versions:
        await store.forget_files(version.id, [file.path for file in version.files])


def _drop_incoming(home: Home, *, is_all: bool) -> None:
    """Delete what came of pulls: all of it, or what no promised hash shows to be whole.

    What was copied while it came may have gaps. A directory that is reached by a link is another home's.
    """
    incoming = Incoming(home.models_dir)
    if os.path.realpath(incoming.directory) != os.path.join(os.path.realpath(home.models_dir), INCOMING_NAME):  # noqa: PTH118
        return
    if is_all:
        incoming.sweep(())
        return
    with contextlib.suppress(OSError):
        keys = {match[0] for path in incoming.directory.iterdir() if (match := KEY.match(path.name))}
        incoming.discard([key for key in keys if key.startswith("u-")], ())
