"""Inspects the location of a home, and applies the state that ``identity`` decides. Inspection blocks."""

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
"""Inside ``models/``, which several homes may share."""
_DRAFT_NAME = ".home.draft"
MAX_LOOKED_AT = 5_000
"""Maximum number of directories to scan for a renamed home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The paths of a home."""

    directory: Path
    models_dir: Path
    database: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeInspection:
    """The result of inspecting a home."""

    recorded: HomeIdentity | None
    location: HomeLocation
    mark: HomeMark | None
    state: HomeState
    owner: Path | None = None
    """The other home, if ``models/`` is shared."""


def find_unchanged(home: Home, recorded: HomeIdentity | None) -> HomeInspection | None:
    """Return the inspection if nothing differs, else None; reads a few small files only. Raises OSError."""
    location, mark = read_location(home), read_mark(home)
    if is_same(recorded, location, mark):
        return HomeInspection(recorded=recorded, location=location, mark=mark, state=HomeState.SAME)
    if is_known_share(recorded, location, mark, has_share_file=is_shared(home.models_dir)):
        return HomeInspection(recorded=recorded, location=location, mark=mark, state=HomeState.SHARED)
    return None


def inspect_home(home: Home, recorded: HomeIdentity | None, files: Iterable[Path]) -> HomeInspection:
    """Inspect the home and other homes nearby; ``files`` are the paths of the catalogue's rows. Raises OSError."""
    location, mark = read_location(home), read_mark(home)
    inodes = {mark.inode} if mark is not None else set()
    inodes |= {recorded.inode} if recorded is not None else set()
    near = tuple(_neighbours(home, mark, inodes, files))
    owner = next((directory for directory in near if _shares_models(directory, home)), None)
    evidence = Evidence(
        is_shared=owner is not None,
        is_marked_here=mark is not None and _is_here(mark, home),
        is_original_elsewhere=recorded is not None
        and any(_is_original(directory, home, recorded) for directory in near),
    )
    state = classify(recorded, location, mark, evidence)
    return HomeInspection(recorded=recorded, location=location, mark=mark, state=state, owner=owner)


async def apply_inspection(home: Home, found: HomeInspection, store: VersionStorePort) -> HomeIdentity:
    """Record the home's location in the catalogue and the mark, and delete records that belong to another home.

    The location is recorded last, so that after a kill the next inspection has the same result. Raises ``CatalogError``
    and OSError.
    """
    match found.state:
        case HomeState.SAME | HomeState.DETACHED:
            assert found.recorded is not None  # noqa: S101 - by ``classify``
            return found.recorded
        case HomeState.SHARED:
            return await _apply_shared(home, found, store)
        case HomeState.MOVED | HomeState.COPIED:
            identity = await _apply_moved_or_copied(home, found, store)
        case _:
            await _renumber(found, store)
            home_id = new_id() if found.recorded is None else found.recorded.id
            identity = identity_at(found.location, home_id)
            if identity != found.recorded:
                await store.record_home(identity, resets_identities=False)
    await run_to_completion(remove_share, home.directory)
    with contextlib.suppress(OSError):  # a full disk: a later open writes the mark
        await run_to_completion(write_mark, home, identity.id, "")
    return identity


def has_files_of(versions: Iterable[Version]) -> bool:
    """Whether any file of a version is present, so that an unmarked ``models/`` is the right one."""
    return any(
        file.identity == identity_from(status)
        for version in versions
        for file in version.files
        if (status := status_of(file.path)) is not None
    )


def new_id() -> str:
    """Return a new random id."""
    return secrets.token_hex(16)


def read_location(home: Home) -> HomeLocation:
    """Return the home's location. Raises OSError."""
    own, models = home.directory.stat(), home.models_dir.stat()
    return HomeLocation(
        device=own.st_dev, inode=own.st_ino, models_device=models.st_dev, models_inode=models.st_ino
    )


def read_mark(home: Home) -> HomeMark | None:
    """Return the mark in ``models/``; None if it is missing or invalid."""
    path = home.models_dir / MARK_NAME
    try:
        return decode_mark(parse_json(read_small(path)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        warn_skipped_once(path, error)
        return None


def write_mark(home: Home, home_id: str, seen: str, *, owner: Path | None = None) -> None:
    """Write the mark durably, unless its path has a file that gglib did not write. Raises OSError.

    ``owner`` is the home that owns ``models/``; None means this home.
    """
    directory = owner or home.directory
    path = home.models_dir / MARK_NAME
    if os.path.lexists(path) and read_mark(home) is None:
        return
    draft = path.with_name(_DRAFT_NAME)
    mark = HomeMark(id=home_id, path=os.path.realpath(directory), inode=directory.stat().st_ino, seen=seen)
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()  # left by a killed process; deleted rather than opened, because it may be a link
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
    """Yield directories that may be the original of this copy, or a home that shares ``models/``.

    The path in the mark; directories nearby with its inode, in case of a rename; the parent of the real ``models/``;
    the homes of files in the catalogue's rows.
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


def _near(path: Path, home: Home, inodes: Container[int]) -> Iterator[Path]:
    """Yield the directories with these inodes near a former home; a bounded scan of names."""
    left = [MAX_LOOKED_AT]
    for root, depth in ((path.parent, 2), (home.directory.parent, 1), (path.parent.parent, 2)):
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


def _shares_models(directory: Path, home: Home) -> bool:
    """Whether a directory is another home in use with the same ``models/``."""
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
    """Whether a directory is the recorded home, ignoring the device number."""
    try:
        return _is_other_home(directory, home) and directory.stat().st_ino == recorded.inode
    except (OSError, ValueError):
        return False


async def _apply_moved_or_copied(home: Home, found: HomeInspection, store: VersionStorePort) -> HomeIdentity:
    is_moved = found.state is HomeState.MOVED
    if is_moved:
        await run_to_completion(partial(_drop_incoming, home, is_all=False))
    else:
        versions = await store.list_versions()
        foreign = await asyncio.to_thread(_foreign, home, versions)
        await _forget(foreign, store)
        await run_to_completion(partial(_drop_incoming, home, is_all=True))
    identity = identity_at(found.location, new_id())
    await store.record_home(identity, resets_identities=True, keeps_pulls=is_moved)
    return identity


async def _apply_shared(home: Home, found: HomeInspection, store: VersionStorePort) -> HomeIdentity:
    if found.recorded is not None and is_recorded(found.recorded, found.location):
        identity = found.recorded
    else:
        await _forget(await store.list_versions(), store)
        identity = identity_at(found.location, new_id())
    if found.mark is None and found.owner is not None:
        # An older gglib writes no mark; without one the next inspection would find no owner.
        await run_to_completion(partial(write_mark, home, new_id(), "", owner=found.owner))
    await run_to_completion(write_share, home.directory, identity.id)
    if identity is not found.recorded:
        await store.record_home(identity, resets_identities=True)
    return identity


async def _renumber(found: HomeInspection, store: VersionStorePort) -> None:
    """Update the device numbers in file identities if nothing else differs."""
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
    """Return the versions of a copied home whose files are the original's, through a copied link.

    A file of the copy has a new inode, and is inside the copy's ``models/``.
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
    """Delete incoming files: all of them, or those without an expected hash.

    A file that was copied during its download may have gaps. An incoming directory behind a link is another home's.
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
