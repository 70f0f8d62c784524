"""A version is deleted file by file: only gglib's own files, and only while it is not in use."""

import asyncio
import errno
import fcntl
import json
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.library.versions.world import (
    VISION,
    Store,
    arrive,
    contents_of,
    job_of,
    known,
    models_in,
    names_in,
)

from gglib.core.versions import NewVersion, Version
from gglib.library.file_uses import FileUses
from gglib.library.versions import deleting
from gglib.library.versions.deleting import (
    CHANGED,
    SHARED,
    Deletion,
    Kept,
    collect_retired,
    delete_version,
)
from gglib.library.versions.drafts import MARKER_NAME
from gglib.library.versions.layout import MANIFEST_NAME
from gglib.library.versions.publishing import publish
from gglib.system.files.locks import shared

BLOCK = 4096


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a new home's models."""
    return models_in(tmp_path)


def version_in(models: Path, version_id: int = 1, *, choice: str = "Q4_K_M", name: str = "m") -> Version:
    """Publish a version whose incoming files are gone."""
    contents = {key.replace("m-", f"{name}-"): value for key, value in VISION.items()}
    job = job_of(models, contents, choice=choice)
    incoming = arrive(job, models, contents)
    version = publish(job, incoming, models)
    incoming.discard([file.key for file in job.files], in_use=[])
    return known(version, version_id)


def legacy(version: Version) -> Version:
    """Return a version of an older gglib, whose files share a directory with others."""
    assert version.directory is not None
    (version.directory / MANIFEST_NAME).unlink()
    return replace(version, directory=None)


def without_places(version: Version) -> Version:
    """Return a version of a home that was copied."""
    files = tuple(
        replace(file, identity=replace(file.identity, device=None, inode=None)) for file in version.files
    )
    return replace(version, files=files)


def deleted(version: Version, others: Sequence[Version], models: Path) -> Deletion:
    """Delete a version whose files belong to no model."""
    return delete_version(version, others, models, FileUses([]))


def outcome(deletion: Deletion) -> dict[str, str]:
    """Return the outcome of each file, by name."""
    fates = {path.name: "gone" for path in deletion.gone}
    return fates | {path.name: reason for path, reason in deletion.kept}


@pytest.mark.parametrize("is_legacy", [True, False])
def test_version_is_deleted_with_its_directories(models: Path, *, is_legacy: bool) -> None:
    """Files, manifest and empty directories go; models/ and all else in it stay; the freed bytes are reported."""
    version = version_in(models)
    if is_legacy:
        version = legacy(version)
    (models / "mine.gguf").write_bytes(b"mine")
    deletion = deleted(version, [], models)
    paths = tuple(file.path for file in version.files)
    assert deletion == Deletion(version=version, gone=paths, freed_bytes=3 * BLOCK, forgotten=paths)
    assert names_in(models) == [".incoming", "mine.gguf"]


@pytest.mark.parametrize("is_legacy", [True, False])
async def test_version_in_use_is_not_deleted(models: Path, *, is_legacy: bool) -> None:
    """While an engine holds its lock nothing is deleted; afterwards it is."""
    version = version_in(models)
    if is_legacy:
        version = legacy(version)
    before, store = contents_of(models), Store(versions=[version])
    with shared(version.hold_path) as is_held:
        assert is_held
        assert await collect_retired(store, models) == []
    assert contents_of(models) == before
    [deletion] = await collect_retired(store, models)
    assert not deletion.kept


async def test_without_locks_a_version_counts_as_free(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks does not keep unused versions for ever."""
    version = version_in(models)

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    [deletion] = await collect_retired(Store(versions=[version]), models)
    assert deletion.gone == tuple(file.path for file in version.files)


def _replaced(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def _written(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"mine")


def _linked(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("mine")))


def _a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_replaced, CHANGED),
        (_written, CHANGED),
        (_linked, "it is a link"),
        (_a_directory, "it is not a regular file"),
    ],
)
def test_user_file_in_the_place_stays(models: Path, change: Callable[[Path], None], reason: str) -> None:
    """Another file of that name, a modified one, a link, a directory: all stay, and are forgotten."""
    version = version_in(models)
    path = version.files[1].path
    change(path)
    before = path.lstat()
    deletion = deleted(version, [], models)
    assert outcome(deletion)[path.name] == reason
    assert len(deletion.gone) == 2
    assert deletion.forgotten == tuple(file.path for file in version.files)
    after = path.lstat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_mode,
    )
    assert not (path.parent / MANIFEST_NAME).exists()


def test_user_file_beside_stays(models: Path) -> None:
    """A directory with a file of the user's is not removed."""
    version = version_in(models)
    assert version.directory is not None
    (version.directory / "mine").write_bytes(b"mine")
    deletion = deleted(version, [], models)
    assert deletion.kept == ()
    assert contents_of(models) == {f"owner/name/{version.directory.name}/mine": b"mine"}


@pytest.mark.parametrize("content", [b"mine", None])
def test_foreign_manifest_stays(models: Path, content: bytes | None) -> None:
    """A manifest that a user wrote, or of another version, is not deleted."""
    version = version_in(models)
    assert version.directory is not None
    path = version.directory / MANIFEST_NAME
    path.unlink()
    if content is None:
        other = version_in(models, choice="Q8_0", name="other")
        assert other.directory is not None
        content = (other.directory / MANIFEST_NAME).read_bytes()
    path.write_bytes(content)
    assert deleted(version, [], models).kept == ()
    assert names_in(version.directory) == [MANIFEST_NAME]


def test_marker_left_by_a_kill_is_deleted_with_the_version(models: Path) -> None:
    """A version that was killed right after its rename still has its draft's marker."""
    version = version_in(models)
    directory = version.directory
    assert directory is not None
    manifest = {"format": 1, "inode": directory.stat().st_ino, "files": []}
    (directory / MARKER_NAME).write_text(json.dumps(manifest))
    assert len(deleted(version, [], models).gone) == 3
    assert names_in(models) == [".incoming"]


def test_file_of_another_version_stays(models: Path) -> None:
    """Two records of one path: the file stays for the other version, and this version's record is forgotten."""
    version = version_in(models)
    other = replace(version, id=2, files=version.files[1:2])
    deletion = deleted(version, [other], models)
    assert outcome(deletion)[version.files[1].path.name] == SHARED
    assert deletion.forgotten == tuple(file.path for file in version.files)
    assert version.files[1].path.exists()


def test_version_itself_is_ignored_among_the_others(models: Path) -> None:
    """A list of all versions may be passed unchanged."""
    version = version_in(models)
    assert len(deleted(version, [replace(version, is_retired=False)], models).gone) == 3


def test_shared_file_frees_nothing_before_the_last_link(models: Path) -> None:
    """The disk gets a hard link's space back with its last name."""
    version = version_in(models, 1)
    other = version_in(models, 2, choice="Q8_0")
    (models / "extra").mkdir()
    for file in other.files[2:]:
        os.link(file.path, models / "extra" / file.path.name)
    assert deleted(version, [other], models).freed_bytes == 3 * BLOCK
    assert deleted(other, [], models).freed_bytes == 2 * BLOCK
    assert contents_of(models) == {"extra/mmproj-m.gguf": VISION["mmproj-m.gguf"]}


def test_in_a_copied_home_the_content_decides(models: Path) -> None:
    """A file without a known inode is deleted by its hash; one of the same size with other content stays."""
    version = without_places(version_in(models))
    path = version.files[1].path
    path.unlink()
    path.write_bytes(VISION[path.name].swapcase())
    assert outcome(deleted(version, [], models)) == {
        "m-00001-of-00002.gguf": "gone",
        "m-00002-of-00002.gguf": CHANGED,
        "mmproj-m.gguf": "gone",
    }


def test_unidentified_file_stays(models: Path) -> None:
    """Without a known inode and without a hash a file cannot be identified as gglib's."""
    version = without_places(version_in(models))
    version = replace(version, files=tuple(replace(file, sha256=None) for file in version.files))
    assert set(outcome(deleted(version, [], models)).values()) == {CHANGED}


def test_unreadable_file_is_not_forgotten(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again when it can be read."""
    from gglib.library.versions import ownership

    version = without_places(version_in(models))

    def unreadable(path: Path) -> int:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(ownership, "open_regular", unreadable)
    deletion = deleted(version, [], models)
    assert set(outcome(deletion).values()) == {"it cannot be read to check whether gglib wrote it"}
    assert deletion.forgotten == ()
    monkeypatch.undo()
    assert len(deleted(version, [], models).gone) == 3


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, "this user may not write to its directory"),
        (errno.EPERM, "the system does not let this user delete it"),
        (errno.EROFS, "its disk is read-only"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_failed_deletion_is_reported_and_retried(
    models: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    """Its record and the manifest stay for the next try."""
    version = version_in(models)
    path, real = version.files[1].path, os.unlink

    def refuse(name: Any, **options: Any) -> None:
        if name == path.name:
            raise OSError(number, os.strerror(number))
        real(name, **options)

    monkeypatch.setattr(os, "unlink", refuse)
    deletion = deleted(version, [], models)
    assert deletion.kept == (Kept(path, reason),)
    assert deletion.forgotten == (version.files[0].path, version.files[2].path)
    assert names_in(path.parent) == [MANIFEST_NAME, path.name]
    monkeypatch.undo()
    again = deleted(replace(version, files=version.files[1:2]), [], models)
    assert again.gone == (path,)
    assert names_in(models) == [".incoming"]


def test_missing_version_is_forgotten(models: Path) -> None:
    """Files that a user deleted need no record; the rest of the directory goes."""
    version = version_in(models)
    for file in version.files:
        file.path.unlink()
    deletion = deleted(version, [], models)
    assert (deletion.gone, deletion.kept) == ((), ())
    assert deletion.forgotten == tuple(file.path for file in version.files)
    assert names_in(models) == [".incoming"]
    assert deleted(version, [], models).forgotten == deletion.forgotten


def test_files_of_an_unmounted_disk_are_not_forgotten(models: Path) -> None:
    """A disk that is not mounted loses nothing of the catalogue."""
    version = version_in(models)
    aside = models.rename(models.with_name("aside"))
    deletion = deleted(version, [], models)
    assert deletion.forgotten == ()
    assert set(outcome(deletion).values()) == {"its disk is not mounted"}
    aside.rename(models)
    assert len(deleted(version, [], models).gone) == 3


def test_home_reached_by_a_link_is_the_same_home(models: Path, tmp_path: Path) -> None:
    """Device and inode decide, not the path."""
    version = version_in(models)
    (tmp_path / "link").symlink_to(models.parent)
    there = tmp_path / "link" / "models"

    def at(path: Path) -> Path:
        return there / path.relative_to(models)

    files = tuple(replace(file, path=at(file.path)) for file in version.files)
    assert version.directory is not None
    moved = replace(version, directory=at(version.directory), files=files)
    assert len(deleted(moved, [], there).gone) == 3
    assert names_in(models) == [".incoming"]


def test_copied_home_deletes_no_file_of_the_original(models: Path, tmp_path: Path) -> None:
    """A copied home whose records still have the original's paths deletes nothing."""
    version = version_in(models)
    copy = tmp_path / "copy"
    shutil.copytree(models, copy)

    def at(path: Path) -> Path:
        return copy / path.relative_to(models)

    files = tuple(replace(file, path=at(file.path)) for file in version.files)
    assert version.directory is not None
    copied = replace(version, directory=at(version.directory), files=files)
    assert set(outcome(deleted(copied, [], copy)).values()) == {CHANGED}
    assert len(contents_of(models)) == 4


async def test_retired_versions_are_collected(models: Path) -> None:
    """A retired version that is not in use is deleted, and its record after it; one in use is tried again."""
    retired, used = version_in(models, 1), version_in(models, 2, choice="Q8_0", name="b")
    current = replace(version_in(models, 3, choice="F16", name="c"), is_retired=False)
    store = Store(versions=[retired, used, current])
    with shared(used.hold_path):
        deletions = await collect_retired(store, models)
    assert [deletion.version.id for deletion in deletions] == [1]
    assert store.versions == [used, current]
    assert [deletion.version.id for deletion in await collect_retired(store, models)] == [2]
    assert store.versions == [current]
    assert await collect_retired(store, models) == []
    assert len(contents_of(models)) == 4


async def test_undeletable_file_stays_recorded(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the records of files that are gone, or foreign, are deleted."""
    version = version_in(models)
    store = Store(versions=[version])
    real = os.unlink

    def refuse(name: Any, **options: Any) -> None:
        if name == version.files[0].path.name:
            raise PermissionError(errno.EACCES, "Permission denied")
        real(name, **options)

    monkeypatch.setattr(os, "unlink", refuse)
    await collect_retired(store, models)
    assert [file.path for file in store.versions[0].files] == [version.files[0].path]
    monkeypatch.undo()
    await collect_retired(store, models)
    assert store.versions == []
    assert names_in(models) == [".incoming"]


class Reviving(Store):
    """A store in which a version gets a model again between the first check and the second."""

    looks = 0

    async def list_versions(self) -> list[Version]:
        """Return the versions, from the second time on none of them retired."""
        self.looks += 1
        found = await super().list_versions()
        return found if self.looks == 1 else [replace(version, is_retired=False) for version in found]


async def test_version_that_got_a_model_meanwhile_stays(models: Path) -> None:
    """The version is looked up again under its lock, before it is deleted."""
    store = Reviving(versions=[version_in(models)])
    assert await collect_retired(store, models) == []
    assert len(contents_of(models)) == 4


async def test_two_collectors_do_not_conflict(models: Path) -> None:
    """Each version is deleted once, and both end without an error."""
    store = Store(versions=[version_in(models, 1), version_in(models, 2, choice="Q8_0", name="b")])
    found = await asyncio.gather(collect_retired(store, models), collect_retired(store, models))
    gone = [path for deletions in found for deletion in deletions for path in deletion.gone]
    assert len(gone) == len(set(gone)) == 6
    assert store.versions == []


async def test_cancelled_deletion_keeps_its_lock_until_the_files_are_gone(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine, or an ``add``, would otherwise start to use a half-deleted version."""
    version = version_in(models)
    started, gate = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Deletion:
        started.set()
        assert gate.wait(20)
        return delete_version(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(deleting, "delete_version", slow)
        collecting = asyncio.ensure_future(collect_retired(Store(versions=[version]), models))
        assert await asyncio.to_thread(started.wait, 20)
    collecting.cancel()
    await asyncio.sleep(0)
    with shared(version.hold_path) as is_held:
        assert not is_held
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert names_in(models) == [".incoming"]


def test_files_in_their_own_folders_are_deleted(models: Path) -> None:
    """Sub-folders go, too."""
    contents = {"m.gguf": b"model", "a/mmproj.gguf": b"eye", "b/mmproj.gguf": b"second eye"}
    job = job_of(models, contents)
    version: NewVersion = publish(job, arrive(job, models, contents), models)
    assert any(path.is_dir() for path in job.directory.iterdir())  # type: ignore[union-attr]
    assert len(deleted(known(version), [], models).gone) == 3
    assert names_in(models) == [".incoming"]


def test_file_is_checked_in_the_directory_it_is_deleted_from(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exchanging the directory between check and deletion loses nothing: both use the open one."""
    version = version_in(models)
    directory = version.directory
    assert directory is not None
    real = os.unlink

    def exchange(name: Any, **options: Any) -> None:
        if directory.exists() and not directory.with_name("aside").exists():
            directory.rename(directory.with_name("aside"))
            directory.mkdir()
            for own in version.files:
                own.path.write_bytes(b"mine")
        real(name, **options)

    monkeypatch.setattr(os, "unlink", exchange)
    deleted(version, [], models)
    assert [file.path.read_bytes() for file in version.files] == [b"mine"] * 3
    assert version.files[0].path.name not in names_in(directory.with_name("aside"))
