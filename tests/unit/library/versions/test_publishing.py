"""A version is published atomically, and never replaces another file."""

import errno
import logging
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.library.versions.world import (
    VISION,
    arrive,
    contents_of,
    directory_of,
    hash_of,
    job_of,
    models_in,
    names_in,
)

from gglib.core.errors import DiskFullError, StorageError
from gglib.core.versions import FileRole
from gglib.library.versions.drafts import MARKER_NAME, begin_draft
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.layout import MANIFEST_NAME
from gglib.library.versions.manifest import read_manifest
from gglib.library.versions.ownership import identity_from, identity_of, is_own
from gglib.library.versions.publishing import IncomingGoneError, find_published, publish

SECOND_DISK = pytest.mark.skipif(
    not os.access("/dev/shm", os.W_OK) or Path("/dev/shm").stat().st_dev == Path("/tmp").stat().st_dev,  # noqa: S108
    reason="needs a second file system",
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a new home's models."""
    return models_in(tmp_path)


def refuse_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a file system without hard links."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)


def files_of(models: Path) -> dict[str, bytes]:
    """Return the files below ``models/`` except manifests and incoming files."""
    return {
        name: content
        for name, content in contents_of(models).items()
        if not name.startswith(".incoming") and not name.endswith(MANIFEST_NAME)
    }


@pytest.mark.parametrize("has_links", [True, False])
def test_published_version_is_read_only_with_its_manifest(
    models: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    """Names, contents, roles, hashes and identities are as recorded. Without links the incoming files move."""
    if not has_links:
        refuse_links(monkeypatch)
    job = job_of(models)
    incoming = arrive(job, models)
    version = publish(job, incoming, models)
    assert version.directory == directory_of(job)
    assert names_in(directory_of(job)) == sorted([*VISION, MANIFEST_NAME])
    assert [file.name for file in version.files] == list(VISION)
    assert [file.role for file in version.files] == [FileRole.MODEL, FileRole.MODEL, FileRole.PROJECTOR]
    for file, (name, content) in zip(version.files, VISION.items(), strict=True):
        assert file.path == directory_of(job) / name
        assert file.path.read_bytes() == content
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o444
        assert file.path.stat().st_nlink == (2 if has_links else 1)
        assert (file.sha256, file.identity) == (hash_of(content), identity_of(file.path))
    manifest = read_manifest(directory_of(job))
    assert manifest is not None
    assert manifest.version(directory_of(job)) == version
    assert (manifest.name, manifest.aliases, manifest.asked) == (job.name, job.aliases, job.asked)
    assert names_in(incoming.directory) == (sorted(file.key for file in job.files) if has_links else [])
    assert incoming.discard([file.key for file in job.files], in_use=[]) == 0
    assert all(is_own(file) for file in version.files)


def test_publishing_again_finds_the_published_version(models: Path) -> None:
    """After a kill behind the rename the same version is returned, also when the incoming files are gone."""
    job = job_of(models)
    incoming = arrive(job, models)
    assert find_published(job, models) is None
    version = publish(job, incoming, models)
    assert find_published(job, models) == version
    assert publish(job, incoming, models) == version
    incoming.discard([file.key for file in job.files], in_use=[])
    assert publish(job, incoming, models) == version
    assert names_in(directory_of(job).parent) == [directory_of(job).name]


def test_sub_folders_are_left_out_unless_names_collide(models: Path) -> None:
    """The names in the repository stay in the record, with any names on the disk."""
    contents = {"Q4/m.gguf": b"model", "vision/mmproj.gguf": b"eye", "other/mmproj.gguf": b"second eye"}
    job = job_of(models, contents)
    version = publish(job, arrive(job, models, contents), models)
    assert [file.name for file in version.files] == list(contents)
    assert [file.path.relative_to(directory_of(job)).as_posix() for file in version.files] == [
        "m.gguf",
        "mmproj.gguf",
        "other/mmproj.gguf",
    ]
    assert find_published(job, models) == version


@pytest.mark.parametrize("has_links", [True, False])
def test_two_files_of_one_content_are_one_incoming_file(
    models: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    """A repository may have the same bytes under two names."""
    if not has_links:
        refuse_links(monkeypatch)
    contents = {"m.gguf": b"same", "mmproj.gguf": b"same"}
    job = job_of(models, contents)
    version = publish(job, arrive(job, models, contents), models)
    assert [file.path.read_bytes() for file in version.files] == [b"same", b"same"]
    assert all(is_own(file) for file in version.files)
    assert find_published(job, models) == version


@pytest.mark.parametrize("kind", ["file", "directory", "empty", "link", "dangling", "older version"])
def test_taken_name_is_not_replaced(models: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    """A user's file, directory or link, and another version, are not changed: -2 is used, and the log says so."""
    job = job_of(models)
    directory = directory_of(job)
    directory.parent.mkdir(parents=True)
    if kind == "file":
        directory.write_bytes(b"mine")
    elif kind == "directory":
        directory.mkdir()
        (directory / "m-00001-of-00002.gguf").write_bytes(b"mine")
    elif kind == "empty":
        directory.mkdir()
    elif kind in {"link", "dangling"}:
        (models / "elsewhere").mkdir()
        directory.symlink_to(models / ("elsewhere" if kind == "link" else "nowhere"))
    else:
        older = replace(job, started_at=0)
        publish(older, arrive(older, models), models)
    before = (files_of(models), identity_from(directory.lstat()))
    with caplog.at_level(logging.WARNING):
        version = publish(job, arrive(job, models), models)
    assert version.directory == directory.with_name(f"{directory.name}-2")
    assert str(version.directory) in caplog.text
    after = {
        name: content for name, content in files_of(models).items() if f"{directory.name}-2/" not in name
    }
    assert (after, identity_from(directory.lstat())) == before
    assert find_published(job, models) == version


def test_changed_version_is_published_again(models: Path) -> None:
    """A file that a user put into a version's directory makes it another directory, and the file stays."""
    job = job_of(models)
    incoming = arrive(job, models)
    first = publish(job, incoming, models)
    mine = first.files[1].path
    mine.unlink()
    mine.write_bytes(VISION[mine.name])
    assert find_published(job, models) is None
    second = publish(job, incoming, models)
    assert second.directory != first.directory
    assert mine.stat().st_ino != second.files[1].path.stat().st_ino


def test_copy_of_a_version_is_not_taken_for_it(models: Path) -> None:
    """A directory that a user copied has the manifest, but other files."""
    job = job_of(models)
    directory = directory_of(job)
    version = publish(job, arrive(job, models), models)
    other = directory.with_name(f"{directory.name}-2")
    other.mkdir()
    for name, content in contents_of(directory).items():
        (other / name).write_bytes(content)
    assert version.directory is not None
    (models / "aside").mkdir()
    version.directory.rename(models / "aside" / "x")
    assert find_published(job, models) is None


@pytest.mark.parametrize("change", ["key", "started_at", "name", "role", "sha256", "size", "fewer"])
def test_version_of_another_pull_does_not_match(models: Path, change: str) -> None:
    """Each field decides."""
    job = job_of(models)
    publish(job, arrive(job, models), models)
    first, *rest = job.files
    others = {
        "key": replace(job, key="f" * 16),
        "started_at": replace(job, started_at=2),
        "name": replace(job, files=(replace(first, name="other.gguf"), *rest)),
        "role": replace(job, files=(replace(first, role=FileRole.PROJECTOR), *rest)),
        "sha256": replace(job, files=(replace(first, sha256="ab" * 32), *rest)),
        "size": replace(job, files=(replace(first, size_bytes=1), *rest)),
        "fewer": replace(job, files=(first,)),
    }
    assert find_published(others[change], models) is None
    assert find_published(replace(job, files=tuple(replace(f, size_bytes=None) for f in job.files)), models)


@pytest.mark.parametrize("damage", ["gone", "short", "link", "directory"])
def test_missing_incoming_file_is_an_error(models: Path, damage: str) -> None:
    """The file to be fetched again is named, and the draft is removed."""
    job = job_of(models)
    incoming = arrive(job, models)
    path = incoming.path(job.files[1].key)
    path.unlink()
    if damage == "short":
        path.write_bytes(b"x")
    elif damage == "link":
        path.symlink_to(incoming.path(job.files[0].key))
    elif damage == "directory":
        path.mkdir()
    with pytest.raises(
        IncomingGoneError, match=r"m-00002-of-00002\.gguf was downloaded but is missing"
    ) as caught:
        publish(job, incoming, models)
    assert caught.value.keys == (job.files[1].key,)
    assert names_in(models) == [".incoming"]
    assert not [name for name in names_in(incoming.directory) if ".version" in name]


def test_incoming_file_replaced_before_the_link_is_an_error(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was put in the place between check and link does not become a part of the version."""
    job = job_of(models)
    incoming = arrive(job, models)
    path, real = incoming.path(job.files[0].key), os.link

    def replaced(*arguments: Any, **options: Any) -> None:
        path.unlink()
        path.write_bytes(b"mine")
        real(*arguments, **options)

    monkeypatch.setattr(os, "link", replaced)
    with pytest.raises(IncomingGoneError):
        publish(job, incoming, models)
    assert path.read_bytes() == b"mine"
    assert path.stat().st_nlink == 1
    assert path.stat().st_mode & 0o200


def test_incoming_file_replaced_before_it_is_opened_is_an_error(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the same size that was put in the place after the check is not taken for the fetched one."""
    from gglib.library.versions import publishing

    job = job_of(models)
    incoming = arrive(job, models)
    path, real = incoming.path(job.files[0].key), begin_draft

    def replaced(*arguments: Any) -> None:
        (models / "mine").write_bytes(VISION[job.files[0].name].swapcase())
        (models / "mine").replace(path)
        real(*arguments)

    monkeypatch.setattr(publishing, "begin_draft", replaced)
    with pytest.raises(IncomingGoneError):
        publish(job, incoming, models)
    assert path.stat().st_nlink == 1


def test_unready_job_is_not_published(models: Path) -> None:
    """It must be fetched, and have a directory below ``models/``."""
    job = job_of(models)
    incoming = arrive(job, models)
    for bad in (
        replace(job, directory=None),
        replace(job, is_fetched=False),
        replace(job, directory=Path("/elsewhere/x")),
    ):
        with pytest.raises(ValueError, match="published"):
            publish(bad, incoming, models)
        assert find_published(replace(bad, is_fetched=True), models) is None


@pytest.mark.parametrize("has_links", [True, False])
def test_full_disk_leaves_no_draft(models: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool) -> None:
    """The incoming files stay for the next time, or are put back, and the error says what to do."""
    from gglib.library.versions import publishing

    if not has_links:
        refuse_links(monkeypatch)
    job = job_of(models)
    incoming = arrive(job, models)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(publishing, "write_manifest", full)
    with pytest.raises(DiskFullError, match=r"is full: free some space .* and run the same command again"):
        publish(job, incoming, models)
    assert contents_of(incoming.directory) == {file.key: VISION[file.name] for file in job.files}
    assert names_in(models) == [".incoming"]


def test_files_in_the_draft_of_a_killed_publication_are_put_back(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without links the files are in the draft: they are moved back to where the pull looks for them."""
    refuse_links(monkeypatch)
    job = job_of(models)
    incoming = arrive(job, models)
    _leave_draft(job, incoming, models)
    draft = f"{job.key}.version"
    assert names_in(incoming.directory) == [draft]
    incoming.restore("f" * 16)
    assert names_in(incoming.directory) == [draft]
    incoming.restore(job.key)
    assert contents_of(incoming.directory) == {file.key: VISION[file.name] for file in job.files}


def test_marker_left_by_a_kill_is_deleted(models: Path) -> None:
    """Killed right after the rename, a version still has its draft's marker, until it is found."""
    job = job_of(models)
    incoming = arrive(job, models)
    version = publish(job, incoming, models)
    marker = directory_of(job) / MARKER_NAME
    begin_draft(models / "other", [])
    (models / "other" / MARKER_NAME).rename(marker)
    assert publish(job, incoming, models) == version
    assert marker.exists(), "it is not this directory's"
    content = marker.read_text().replace(
        str((models / "other").stat().st_ino), str(directory_of(job).stat().st_ino)
    )
    marker.write_text(content)
    assert publish(job, incoming, models) == version
    assert not marker.exists()


def test_user_file_in_place_of_a_directory_is_an_error(models: Path) -> None:
    """The error names the file, and it stays."""
    job = job_of(models)
    incoming = arrive(job, models)
    (models / "owner").write_bytes(b"mine")
    with pytest.raises(StorageError, match=r"owner.* cannot be used"):
        publish(job, incoming, models)
    assert (models / "owner").read_bytes() == b"mine"


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EIO])
def test_failing_rename_leaves_no_draft(models: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A rename cannot cross file systems: the sentence says what to do, and the incoming files stay."""
    job = job_of(models)
    incoming = arrive(job, models)
    real = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if target == job.directory:
            raise OSError(number, os.strerror(number), str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StorageError, match="another disk" if number == errno.EXDEV else "cannot be used"):
        publish(job, incoming, models)
    assert names_in(incoming.directory) == sorted(file.key for file in job.files)


@SECOND_DISK
def test_repository_on_another_disk_is_an_error(models: Path) -> None:
    """A link of the user's to another disk stays unchanged, and so do the files there."""
    job = job_of(models)
    incoming = arrive(job, models)
    elsewhere = Path("/dev/shm") / f"gglib-{os.getpid()}-publishing"  # noqa: S108
    elsewhere.mkdir()
    try:
        (models / "owner").symlink_to(elsewhere)
        with pytest.raises(StorageError, match=r"owner/name is a link to another disk than .*\.incoming"):
            publish(job, incoming, models)
        assert (models / "owner").is_symlink()
        assert names_in(incoming.directory) == sorted(file.key for file in job.files)
    finally:
        shutil.rmtree(elsewhere)


def test_directory_removed_meanwhile_is_made_again(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another gglib that deletes the last version of a repository removes the empty directory."""
    job = job_of(models)
    incoming = arrive(job, models)
    calls: list[Path] = []
    real = Path.mkdir

    def removed(self: Path, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **options)
        if self == directory_of(job).parent and not calls:
            calls.append(self)
            self.rmdir()

    monkeypatch.setattr(Path, "mkdir", removed)
    assert publish(job, incoming, models).directory == directory_of(job)


@pytest.mark.parametrize("kind", ["file", "directory", "link", "addition"])
def test_user_files_in_place_of_the_draft_stay(models: Path, kind: str) -> None:
    """Another name is used for the draft; a user's file inside a draft keeps that, and gglib's files leave it."""
    job = job_of(models)
    incoming = arrive(job, models)
    draft = incoming.directory / f"{job.key}.version"
    if kind == "file":
        draft.write_bytes(b"mine")
    elif kind == "directory":
        (draft / "sub").mkdir(parents=True)
        (draft / "m-00001-of-00002.gguf").write_bytes(b"mine")
    elif kind == "link":
        (models / "elsewhere").mkdir()
        (models / "elsewhere" / "mine").write_bytes(b"mine")
        draft.symlink_to(models / "elsewhere")
    else:
        _leave_draft(job, incoming, models)
        (draft / "mine").write_bytes(b"mine")
    publish(job, incoming, models)
    left = sorted(set(names_in(incoming.directory)) - {file.key for file in job.files})
    assert left == [draft.name]
    if kind == "file":
        assert draft.read_bytes() == b"mine"
    elif kind == "directory":
        assert names_in(draft) == ["m-00001-of-00002.gguf", "sub"]
    elif kind == "link":
        assert contents_of(models / "elsewhere") == {"mine": b"mine"}
    else:
        assert contents_of(draft) == {"mine": b"mine"}


def _leave_draft(job: Any, incoming: Incoming, models: Path) -> None:
    """End a publication right before its rename, as a kill does."""
    from gglib.library.versions import publishing

    publishing._build(job, incoming)
    assert names_in(models) == [".incoming"]


@pytest.mark.parametrize("has_links", [True, False])
def test_user_file_in_a_draft_stays(
    models: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    """A file in an abandoned draft is identified by its inode or its content, not by its name."""
    if not has_links:
        refuse_links(monkeypatch)
    job = job_of(models)
    incoming = arrive(job, models)
    _leave_draft(job, incoming, models)
    draft = incoming.directory / f"{job.key}.version"
    mine = draft / "m-00001-of-00002.gguf"
    mine.unlink()
    mine.write_bytes(b"MY OWN FILE")
    assert len(b"MY OWN FILE") == job.files[0].size_bytes
    if not has_links:  # the user took the file that came
        with pytest.raises(IncomingGoneError) as caught:
            publish(job, incoming, models)
        assert caught.value.keys == (job.files[0].key,)
        arrive(job, models)
    publish(job, incoming, models)
    assert contents_of(draft) == {mine.name: b"MY OWN FILE"}
