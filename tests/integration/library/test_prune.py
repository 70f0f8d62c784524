"""The files that ``prune`` deletes, and those that it never touches: real files, a real catalogue."""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gglib.core.models import ModelSource
from gglib.core.versions import FileRole, IncomingFile, NewVersion, PullJob, Version
from gglib.library.disk_use import DiskUse, disk_use
from gglib.library.prune import FETCHED_NOW, STARTER_LOCK
from gglib.library.versions.deletable_files import IN_USE, IS_LINK, NOT_OURS
from gglib.library.versions.deleting import CHANGED

if TYPE_CHECKING:
    from tests.integration.library.conftest import LibraryHarness
else:
    LibraryHarness = object

CONTENT = b"x" * 100_000
PART_MANIFEST = b"a note on a part"
KEY = "s-" + "ab" * 16
JOB = "0123456789abcdef"
UNENDED = "the pull of 'coder' is unfinished: 'gglib pull' lists how to resume or discard it"


def job(*, directory: Path | None = None) -> PullJob:
    """Return an unfinished pull."""
    return PullJob(
        key=JOB,
        asked="ada/coder",
        name="coder",
        aliases=(),
        source=ModelSource(repo="ada/coder"),
        files=(IncomingFile(name="a.gguf", role=FileRole.MODEL, key=KEY, size_bytes=1, sha256="ab" * 32),),
        directory=directory,
    )


@contextmanager
def used(path: Path) -> Iterator[None]:
    """Hold a version as an engine does."""
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    try:
        yield
    finally:
        os.close(descriptor)


def blocks(path: Path) -> int:
    """Return the disk space that a file uses."""
    return path.stat().st_blocks * 512


class TestFreeing:
    async def test_versions_without_a_row_go(self, harness: LibraryHarness) -> None:
        """Deletes their manifests and directories too, and reports the freed blocks; a used version stays."""
        model = await harness.pull(harness.version("ada/Q4-1", projector=CONTENT))
        unused = await harness.catalog.add_version(harness.version("ada/Q8-2", projector=CONTENT))
        size = sum(blocks(file.path) for file in unused.files)
        plan = await harness.plan()
        assert plan.versions == (unused.id,)
        pruned = await harness.prune()
        assert {file.path for file in unused.files} < set(pruned.deleted)
        assert len(pruned.deleted) == 3  # and the manifest
        assert pruned.freed_bytes >= size >= 2 * len(CONTENT)
        assert (pruned.undeleted, harness.left()) == (
            (),
            ["ada/Q4-1/.gglib-version.json", "ada/Q4-1/a.gguf", "ada/Q4-1/mmproj.gguf"],
        )
        assert not (harness.models_dir / "ada/Q8-2").exists()
        assert [one.id for one in await harness.catalog.list_versions()] == [model.version_id]

    async def test_files_of_an_older_home_go(self, harness: LibraryHarness) -> None:
        """A version without a directory is deleted file by file; no empty directory is left."""
        own = harness.wrote(harness.put("ada/a.gguf"))
        await harness.catalog.add_version(NewVersion(directory=None, source=ModelSource(), files=(own,)))
        assert (await harness.prune()).deleted == (own.path,)
        assert list(harness.models_dir.iterdir()) == []

    async def test_a_forgotten_model_goes(self, harness: LibraryHarness) -> None:
        """``rm`` without ``--files`` leaves files for ``prune``, including a projector that the row did not name."""
        await harness.pull(harness.version("ada/Q4-1", projector=CONTENT))
        assert (await harness.plan()).deletable == ()
        await harness.forget()
        await harness.prune()
        assert list(harness.models_dir.iterdir()) == []

    async def test_conversations_of_models_that_are_gone_go(self, harness: LibraryHarness) -> None:
        """Those of models in the catalogue stay."""
        kept = harness.models_dir.parent / "kept"
        gone = kept / "99" / "slot-0.bin"
        gone.parent.mkdir(parents=True)
        gone.write_bytes(b"x")
        plan = await harness.pruner.plan(harness.catalog)
        assert [file.path for file in plan.deletable] == [gone]
        await harness.pruner.prune(plan, harness.catalog)
        assert list(kept.iterdir()) == []

    async def test_empty_directories_go(self, harness: LibraryHarness) -> None:
        """Nested empty directories are deleted too; one with a user's file stays."""
        (harness.models_dir / "ada/old/older").mkdir(parents=True)
        harness.put("eve/mine.txt")
        assert (await harness.plan()).deletable == ()
        await harness.prune()
        assert sorted(harness.models_dir.rglob("*")) == [
            harness.models_dir / "eve",
            harness.models_dir / "eve/mine.txt",
        ]

    async def test_incoming_files_of_no_pull_go(self, harness: LibraryHarness) -> None:
        """Complete files, parts and records are deleted; files with names that gglib does not use stay."""
        for suffix in ("", ".part", ".part.note"):
            harness.put(f".incoming/{KEY}{suffix}")
        harness.put(".incoming/mine.gguf")
        assert await harness.kept() == {".incoming/mine.gguf": NOT_OURS}
        assert harness.left() == [".incoming/mine.gguf"]

    async def test_parts_of_an_older_gglib_go(self, harness: LibraryHarness) -> None:
        """A part with gglib's record beside it is deleted; one without is the user's."""
        harness.put("b.gguf.part")
        harness.put("b.gguf.part.note", PART_MANIFEST)
        harness.put("c.gguf.part")
        assert await harness.kept() == {"c.gguf.part": NOT_OURS}
        assert harness.left() == ["c.gguf.part"]

    async def test_what_a_killed_download_of_the_starter_left_goes(self, harness: LibraryHarness) -> None:
        """The working directory is deleted, unless a running gglib uses it."""
        wheel = harness.put(".starter/w.whl")
        with harness.locks.try_hold(STARTER_LOCK):
            plan = await harness.plan()
            assert [(file.path, file.reason) for file in plan.retained] == [(wheel, FETCHED_NOW)]
        await harness.prune()
        assert harness.left() == []

    async def test_a_file_with_another_name_frees_nothing(
        self, harness: LibraryHarness, tmp_path: Path
    ) -> None:
        """A hard link elsewhere keeps the data: the name is deleted, and no freed bytes are reported."""
        own = harness.wrote(harness.put("a.gguf"))
        await harness.catalog.add_version(NewVersion(directory=None, source=ModelSource(), files=(own,)))
        os.link(own.path, tmp_path / "mine.gguf")
        pruned = await harness.prune()
        assert (pruned.freed_bytes, len(pruned.deleted)) == (0, 1)
        assert (tmp_path / "mine.gguf").read_bytes() == CONTENT

    async def test_a_file_that_goes_with_all_of_its_names_is_counted_once(
        self, harness: LibraryHarness
    ) -> None:
        """Two versions that share a projector by a hard link free its bytes together."""
        first = harness.version("ada/Q4-1", projector=CONTENT)
        second = harness.version("ada/Q8-2", {"b.gguf": CONTENT})
        linked = harness.models_dir / "ada/Q8-2/mmproj.gguf"
        os.link(first.files[1].path, linked)
        await harness.catalog.add_version(first)
        await harness.catalog.add_version(
            replace(second, files=(*second.files, harness.wrote(linked, FileRole.PROJECTOR)))
        )
        own = [file.path for file in (*first.files, *second.files)]
        size = sum(map(blocks, own)) + sum(
            blocks(version.hold_path / ".gglib-version.json") for version in (first, second)
        )
        assert (await harness.plan()).freed_bytes == size

    async def test_a_home_that_was_copied_is_known_by_its_hashes(self, harness: LibraryHarness) -> None:
        """Without known device and inode numbers the content decides."""
        own = harness.wrote(harness.put("a.gguf"))
        unknown = replace(own, identity=replace(own.identity, device=None, inode=None))
        await harness.catalog.add_version(NewVersion(directory=None, source=ModelSource(), files=(unknown,)))
        assert [file.path for file in (await harness.plan()).deletable] == [own.path]
        own.path.write_bytes(b"y" * len(CONTENT))
        assert await harness.kept() == {"a.gguf": CHANGED}


class TestSparing:
    async def test_the_users_own_files(self, harness: LibraryHarness) -> None:
        """A file without a record stays, whatever its name; so does a file that replaced one of gglib's."""
        version = await harness.catalog.add_version(harness.version("ada/Q4-1"))
        version.files[0].path.write_bytes(b"y" * len(CONTENT))
        harness.put("mine.gguf")
        harness.put("mine.gguf.part")
        harness.put("mine.gguf.part.note", b"my own notes")
        harness.put("ada/Q4-1/notes.txt")
        assert await harness.kept() == {
            "ada/Q4-1/a.gguf": CHANGED,
            "ada/Q4-1/notes.txt": NOT_OURS,
            "mine.gguf": NOT_OURS,
            "mine.gguf.part": NOT_OURS,
            "mine.gguf.part.note": NOT_OURS,
        }
        assert version.files[0].path.read_bytes() == b"y" * len(CONTENT)
        assert await harness.catalog.list_versions() == []

    @pytest.mark.parametrize("way", ["path", "link", "directory"])
    async def test_a_file_that_a_row_uses(self, harness: LibraryHarness, tmp_path: Path, way: str) -> None:
        """A user's row that refers to a file of an unused version keeps that file, by whatever path."""
        version = await harness.catalog.add_version(harness.version("ada/Q4-1", projector=CONTENT))
        projector = version.files[1].path
        (tmp_path / "link.gguf").symlink_to(projector)
        (tmp_path / "way").symlink_to(harness.models_dir, target_is_directory=True)
        paths = {
            "path": projector,
            "link": tmp_path / "link.gguf",
            "directory": tmp_path / "way/ada/Q4-1/mmproj.gguf",
        }
        (tmp_path / "mine.gguf").write_bytes(CONTENT)
        await harness.add(tmp_path / "mine.gguf", projector=paths[way])
        pruned = await harness.prune()
        assert version.files[0].path in pruned.deleted
        assert projector.read_bytes() == CONTENT
        await harness.catalog.remove_model("mine")
        await harness.prune()
        assert [name for name in harness.left() if "mmproj" in name] == []

    async def test_links_are_not_followed(self, harness: LibraryHarness, tmp_path: Path) -> None:
        """A link to a file, to a directory or in a cycle stays, with everything that it leads to."""
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "a.gguf").write_bytes(CONTENT)
        own = harness.wrote(harness.put("a.gguf"))
        await harness.catalog.add_version(NewVersion(directory=None, source=ModelSource(), files=(own,)))
        own.path.unlink()
        own.path.symlink_to(outside / "a.gguf")
        (harness.models_dir / "ada").symlink_to(outside, target_is_directory=True)
        (harness.models_dir / "loop").symlink_to(harness.models_dir, target_is_directory=True)
        assert await harness.kept() == {"a.gguf": IS_LINK, "ada": IS_LINK, "loop": IS_LINK}
        assert (outside / "a.gguf").read_bytes() == CONTENT

    async def test_what_is_no_file(self, harness: LibraryHarness) -> None:
        """A FIFO stays, and reading it does not block."""
        own = harness.wrote(harness.put("a.gguf"))
        await harness.catalog.add_version(NewVersion(directory=None, source=ModelSource(), files=(own,)))
        own.path.unlink()
        os.mkfifo(own.path)
        os.mkfifo(harness.models_dir / "b.gguf.part.note")
        assert await harness.kept() == {
            "a.gguf": "it is not a regular file",
            "b.gguf.part.note": "it is not a regular file",
        }

    async def test_a_pull_that_did_not_end(self, harness: LibraryHarness) -> None:
        """An unfinished pull can be resumed: its incoming files and records stay; while it runs, that is the reason."""
        await harness.catalog.begin_pull(job())
        names = [f".incoming/{KEY}{suffix}" for suffix in ("", ".part")]
        for name in names:
            harness.put(name)
        assert await harness.kept() == dict.fromkeys(names, UNENDED)
        with harness.locks.try_hold(f"pull-{JOB}"):
            assert await harness.kept() == dict.fromkeys(names, FETCHED_NOW)

    async def test_a_pull_that_runs_keeps_what_it_may_share(self, harness: LibraryHarness) -> None:
        """During any pull no incoming file is deleted: the pull may be about to share it."""
        harness.put(f".incoming/{KEY}")
        with harness.locks.try_hold(f"pull-{JOB}"):
            assert await harness.kept() == {f".incoming/{KEY}": FETCHED_NOW}
        assert await harness.kept() == {}
        assert harness.left() == []

    async def test_a_version_that_is_being_published(self, harness: LibraryHarness) -> None:
        """A directory with a final name but without a record belongs to a pull and stays; so does an empty one."""
        version = harness.version("ada/Q4-1")
        await harness.catalog.begin_pull(job(directory=version.directory))
        (harness.models_dir / "ada/Q4-1").mkdir(exist_ok=True)
        await harness.prune()
        assert harness.left() == ["ada/Q4-1/.gglib-version.json", "ada/Q4-1/a.gguf"]
        for path in sorted((harness.models_dir / "ada/Q4-1").iterdir()):
            path.unlink()
        await harness.prune()
        assert (harness.models_dir / "ada/Q4-1").is_dir()

    async def test_a_version_in_use(self, harness: LibraryHarness) -> None:
        """A version that waits for its engine's end is reported; one used since the prompt stays too."""
        version = harness.version("ada/Q4-1")
        await harness.pull(version)
        with used(version.hold_path):
            await harness.remove()
            kept = await harness.kept()
        assert kept["ada/Q4-1/a.gguf"] == IN_USE
        other = await harness.catalog.add_version(harness.version("ada/Q8-2"))
        with used(other.hold_path):
            pruned = await harness.prune()
        assert (pruned.waiting, pruned.undeleted) == ((other.files[0].path,), ())
        assert harness.left() == ["ada/Q8-2/.gglib-version.json", "ada/Q8-2/a.gguf"]
        await harness.prune()
        assert harness.left() == []


class TestMeanwhile:
    """Changes between the prompt and the confirmation."""

    async def test_a_model_was_added(self, harness: LibraryHarness) -> None:
        """A version that got a row after the prompt stays."""
        version = harness.version("ada/Q4-1")
        await harness.catalog.add_version(version)
        plan = await harness.plan()
        await harness.pull(version)
        assert (await harness.pruner.prune(plan, harness.catalog)).deleted == ()
        assert version.files[0].path.exists()

    async def test_a_model_was_added_at_the_last_moment(
        self, harness: LibraryHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A version that is used between the last check and the transaction that retires versions is not touched."""
        version = harness.version("ada/Q4-1")
        await harness.catalog.add_version(version)
        plan = await harness.plan()
        retire = harness.catalog.retire_unused

        async def add_first(version_ids: Collection[int]) -> list[Version]:
            await harness.pull(version)
            return await retire(version_ids)

        monkeypatch.setattr(harness.catalog, "retire_unused", add_first)
        pruned = await harness.pruner.prune(plan, harness.catalog)
        assert (pruned.deleted, pruned.undeleted, pruned.waiting) == ((), (), ())
        assert harness.left() == ["ada/Q4-1/.gglib-version.json", "ada/Q4-1/a.gguf"]

    async def test_a_version_came(self, harness: LibraryHarness) -> None:
        """A version that was not shown is not deleted."""
        await harness.catalog.add_version(harness.version("ada/Q4-1"))
        plan = await harness.plan()
        late = await harness.catalog.add_version(harness.version("ada/Q8-2"))
        await harness.pruner.prune(plan, harness.catalog)
        assert [one.id for one in await harness.catalog.list_versions()] == [late.id]
        assert late.files[0].path.exists()


class TestDiskUse:
    async def test_each_file_counts_once(self, harness: LibraryHarness, tmp_path: Path) -> None:
        """A projector of two rows, a hard link, a missing file, and gglib's share of the total."""
        version = harness.version("ada/Q4-1", projector=CONTENT)
        await harness.pull(version)
        mine = tmp_path / "mine.gguf"
        mine.write_bytes(CONTENT)
        os.link(mine, tmp_path / "twin.gguf")
        await harness.add(mine, name="mine", projector=version.files[1].path)
        await harness.add(tmp_path / "twin.gguf", name="twin")
        await harness.add(tmp_path / "gone.gguf", name="gone")
        use = disk_use(await harness.catalog.list_models(), await harness.catalog.list_versions())
        size = len(CONTENT)
        assert use == DiskUse(models=4, total_bytes=3 * size, own_bytes=2 * size, shared_bytes=2 * size)

    async def test_what_the_user_put_there_is_not_gglibs(self, harness: LibraryHarness) -> None:
        """A file that replaced one of gglib's uses disk space, but gglib may not free it."""
        version = harness.version("ada/Q4-1")
        await harness.pull(version)
        version.files[0].path.unlink()
        harness.put("ada/Q4-1/other").rename(version.files[0].path)
        use = disk_use(await harness.catalog.list_models(), await harness.catalog.list_versions())
        assert (use.total_bytes, use.own_bytes) == (len(CONTENT), 0)
