"""Homes that were moved, copied, or share their models: each uses only its own files, and a moved home continues."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.integration.library.homes.harness import Q4, Q8, HomeHarness, state_of

from gglib.app.models.home_maintenance import LOCK
from gglib.db import SqliteCatalog
from gglib.library.homes.location import Home, read_mark
from gglib.library.versions.locks import HomeLocks
from gglib.library.versions.ownership import identity_of

CUT = 200_000
"""Bytes after which the connection is lost, of half a megabyte."""


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def harness(tmp_path: Path) -> HomeHarness:
    """Return a home whose hub offers one model."""
    harness = HomeHarness(tmp_path / "home")
    harness.publish()
    return harness


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a directory on another file system."""
    memory = Path("/dev/shm")  # noqa: S108 - another file system than the tests'
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip(f"{memory} is no other file system")
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


def id_of(harness: HomeHarness) -> str:
    """Return the id in a home's mark."""
    mark = read_mark(
        Home(directory=harness.directory, models_dir=harness.models, database=harness.settings.database)
    )
    assert mark is not None
    return mark.id


def parts_of(harness: HomeHarness) -> dict[str, bytes]:
    """Return the received bytes of incomplete files, by name."""
    directory = harness.models / ".incoming"
    return {path.name: path.read_bytes() for path in directory.glob("*.part")}


async def test_a_cancelled_open_keeps_the_homes_lock_until_its_mark_is_written(
    harness: HomeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise another gglib could migrate the home at the same time."""
    started, gate = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        started.set()
        assert gate.wait(20)

    monkeypatch.setattr("gglib.library.homes.location.write_mark", slow)
    opening = asyncio.ensure_future(harness.all())
    assert await asyncio.to_thread(started.wait, 20)
    opening.cancel()
    await asyncio.sleep(0)
    assert HomeLocks(harness.directory).are_held(LOCK)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert not HomeLocks(harness.directory).are_held(LOCK)


class TestMoved:
    async def test_on_one_file_system(self, harness: HomeHarness, tmp_path: Path) -> None:
        """Its models, updates, removals and an unfinished pull continue, and it is the same home."""
        model = await harness.pull()
        other = harness.publish("coder-Q8_0.gguf", 1)
        await harness.cut_pull(Q8, "coder-Q8_0.gguf", CUT)
        home_id, parts = id_of(harness), parts_of(harness)
        moved = harness.move(tmp_path / "moved")
        assert [one.paths for one in await moved.all()] == [
            (moved.models / model.paths[0].relative_to(harness.models),)
        ]
        assert id_of(moved) == home_id
        assert [job.asked for job in await moved.pulls()] == [Q8]
        assert parts_of(moved) == parts
        await moved.pull(Q8)
        content = moved.publish(seed=2)
        updated = await moved.pull()
        assert updated.id == model.id
        assert updated.paths[0].read_bytes() == content
        assert await moved.remove(Q8) != []
        assert [one.name for one in await moved.all()] == ["coder-Q4_K_M"]
        assert await moved.remove(Q4) == [updated.paths[0]]
        assert other
        assert sorted(path.name for path in moved.models.iterdir()) == [".home", ".incoming"]

    async def test_across_file_systems(self, harness: HomeHarness, other_disk: Path) -> None:
        """All inodes differ; files are recognized by their content, and the pull continues."""
        model = await harness.pull()
        harness.publish("coder-Q8_0.gguf", 1)
        await harness.cut_pull(Q8, "coder-Q8_0.gguf", CUT)
        home_id, parts = id_of(harness), parts_of(harness)
        moved = harness.move_across(other_disk / "home")
        assert [one.name for one in await moved.all()] == [model.name]
        assert id_of(moved) != home_id
        assert [job.asked for job in await moved.pulls()] == [Q8]
        assert parts_of(moved) == parts
        await moved.pull(Q8)
        content = moved.publish(seed=2)
        updated = await moved.pull()
        assert (updated.id, updated.paths[0].read_bytes()) == (model.id, content)
        assert await moved.remove(Q8) != []
        assert await moved.remove(Q4) == [updated.paths[0]]
        assert sorted(path.name for path in moved.models.iterdir()) == [".home", ".incoming"]

    async def test_killed_when_its_new_place_is_recorded_it_keeps_its_pulls(
        self, harness: HomeHarness, other_disk: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The next open does not sweep the parts of a pull: the pull is recorded at every moment."""
        await harness.cut_pull(Q4, "coder-Q4_K_M.gguf", CUT)
        moved = harness.move_across(other_disk / "home")
        parts = parts_of(moved)
        record_home = SqliteCatalog.record_home

        async def killed(*arguments: Any, **options: Any) -> None:
            await record_home(*arguments, **options)
            raise KilledError

        with monkeypatch.context() as patch:
            patch.setattr(SqliteCatalog, "record_home", killed)
            with pytest.raises(KilledError):
                await moved.all()
        assert [job.asked for job in await moved.pulls()] == [Q4]
        assert parts_of(moved) == parts != {}

    async def test_its_models_alone(self, harness: HomeHarness, other_disk: Path) -> None:
        """With ``models/`` moved to another disk and a link in its place, its files stay gglib's."""
        await harness.pull()
        shutil.move(harness.models, other_disk / "models")
        harness.models.symlink_to(other_disk / "models")
        (model,) = await harness.all()
        assert await harness.remove(Q4) == [model.paths[0]]

    async def test_the_home_alone(self, harness: HomeHarness, other_disk: Path, tmp_path: Path) -> None:
        """In a moved home whose ``models/`` is a link to its old place, the files stay gglib's."""
        await harness.pull()
        shutil.move(harness.models, tmp_path / "big")
        harness.models.symlink_to(tmp_path / "big")
        await harness.all()
        home_id = id_of(harness)
        moved = harness.move_across(other_disk / "home")
        (model,) = await moved.all()
        assert id_of(moved) == home_id
        assert await moved.remove(Q4) == [model.paths[0]]

    async def test_without_its_disk(self, harness: HomeHarness, tmp_path: Path) -> None:
        """If an empty ``models/`` replaces an unmounted disk, no row is removed."""
        model = await harness.pull()
        harness.publish("coder-Q8_0.gguf", 1)
        await harness.cut_pull(Q8, "coder-Q8_0.gguf", CUT)
        harness.models.rename(tmp_path / "away")
        harness.models.mkdir()
        assert [one.name for one in await harness.all()] == [model.name]
        harness.models.rmdir()
        (tmp_path / "away").rename(harness.models)
        assert [job.asked for job in await harness.pulls()] == [Q8]
        assert await harness.remove(Q4) == [model.paths[0]]


class TestDeletedModels:
    async def test_a_new_directory_is_taken_once_it_is_used(self, harness: HomeHarness) -> None:
        """After ``rm -rf models`` the next pull writes there, and from then on the home is consistent again."""
        await harness.pull()
        home_id = id_of(harness)
        deleted = os.open(harness.models, os.O_RDONLY)  # an open directory keeps its inode from being reused
        shutil.rmtree(harness.models)
        (model,) = await harness.all()
        assert not model.paths[0].exists()
        assert not (harness.models / ".home").exists()
        await harness.pull()
        os.close(deleted)
        await harness.all()
        assert id_of(harness) == home_id
        async with harness.opened() as catalog:
            recorded = await catalog.read_home()
        assert recorded is not None
        assert recorded.models_inode == harness.models.stat().st_ino
        assert await harness.remove(Q4) == [model.paths[0]]


class TestRenumbered:
    async def test_after_a_restart_of_the_machine(self, harness: HomeHarness) -> None:
        """A disk with a new device number is the same disk: its files are recorded with that number from then on."""
        await harness.pull()
        harness.publish("coder-Q8_0.gguf", 1)
        await harness.cut_pull(Q8, "coder-Q8_0.gguf", CUT)
        home_id = id_of(harness)
        with closing(sqlite3.connect(harness.settings.database, isolation_level=None)) as connection:
            connection.execute("UPDATE home SET device = device + 7, models_device = models_device + 7")
            connection.execute("UPDATE version_files SET device = device + 7")
        async with harness.opened() as catalog:
            (version,) = await catalog.list_versions()
            recorded = await catalog.read_home()
        assert [file.identity for file in version.files] == [identity_of(file.path) for file in version.files]
        assert recorded is not None
        assert (recorded.id, recorded.device) == (home_id, harness.directory.stat().st_dev)
        assert [job.asked for job in await harness.pulls()] == [Q8]
        assert len(await harness.remove(Q4)) == 1


class TestCopied:
    async def test_the_original_is_never_touched(self, harness: HomeHarness, tmp_path: Path) -> None:
        """Operations in the copy do not change the original, and the copy's unfinished pulls restart."""
        await harness.pull()
        harness.publish("coder-Q8_0.gguf", 1)
        await harness.cut_pull(Q8, "coder-Q8_0.gguf", CUT)
        before, home_id = state_of(harness.directory), id_of(harness)
        copy = harness.copy(tmp_path / "copy")
        assert await copy.pulls() == []
        assert id_of(copy) != home_id
        await copy.pull(Q8)
        assert copy.hub.fetches[-1].start_bytes == 0
        copy.publish(seed=2)
        (model,) = [one for one in await copy.all() if Q4 in one.aliases]
        updated = await copy.pull()
        assert not model.paths[0].exists()
        assert await copy.remove(Q4) == [updated.paths[0]]
        await copy.prune()
        assert await copy.discard() == 0
        assert state_of(harness.directory) == before
        assert [job.asked for job in await harness.pulls()] == [Q8]

    async def test_the_original_goes_on(self, harness: HomeHarness, tmp_path: Path) -> None:
        """Its own pull resumes; it keeps its identity, also under a new name."""
        await harness.pull()
        harness.publish("coder-Q8_0.gguf", 1)
        await harness.cut_pull(Q8, "coder-Q8_0.gguf", CUT)
        copy, parts = harness.copy(tmp_path / "copy"), parts_of(harness)
        original = harness.move(tmp_path / "renamed")
        assert await copy.pulls() == []
        assert parts_of(copy) == {}
        assert [job.asked for job in await original.pulls()] == [Q8]
        assert parts_of(original) == parts
        await original.pull(Q8)

    @pytest.mark.parametrize("is_renamed", [False, True])
    async def test_with_models_that_both_share(
        self, harness: HomeHarness, tmp_path: Path, *, is_renamed: bool
    ) -> None:
        """Only files that the copy adds to ``models/`` belong to it, apart from incoming files of the original."""
        await harness.pull()
        harness.publish("coder-Q8_0.gguf", 1)
        await harness.cut_pull(Q8, "coder-Q8_0.gguf", CUT)
        shared = tmp_path / "shared"
        harness.models.rename(shared)
        harness.models.symlink_to(shared)
        await harness.all()
        copy = harness.copy(tmp_path / "copy")
        if is_renamed:
            harness = harness.move(tmp_path / "renamed")
        before, rows = state_of(shared), (harness.directory / "gglib.db").read_bytes()
        (model,) = await copy.all()
        assert model.version_id is None
        assert await copy.pulls() == []
        assert await copy.discard() == 0
        assert await copy.prune() == []
        await copy.pull(Q8)
        assert copy.hub.fetches[-1].start_bytes == 0
        assert await copy.remove(Q8) != []
        assert await copy.remove(model.name) == []
        assert await copy.prune() == []
        after = state_of(shared)
        assert {name: after.get(name) for name in before} == before
        assert (harness.directory / "gglib.db").read_bytes() == rows
        assert [job.asked for job in await harness.pulls()] == [Q8]
        await harness.pull(Q8)
        assert len(await harness.remove(Q4)) == 1

    async def test_the_same_model_in_shared_models(self, harness: HomeHarness, tmp_path: Path) -> None:
        """The copy pulls into a separate directory, beside that of the same name and content."""
        first = await harness.pull()
        shared = tmp_path / "shared"
        harness.models.rename(shared)
        harness.models.symlink_to(shared)
        await harness.all()
        copy = harness.copy(tmp_path / "copy")
        before = state_of(shared)
        model = await copy.pull()
        assert (
            model.paths[0].resolve()
            != (harness.models / first.paths[0].relative_to(harness.models)).resolve()
        )
        assert model.version_id is not None
        assert await copy.remove(Q4) == [model.paths[0]]
        assert state_of(shared) == before

    async def test_what_the_other_home_brings_is_not_the_originals(
        self, harness: HomeHarness, tmp_path: Path
    ) -> None:
        """The original finds the copy's manifest, and neither adopts its version nor prunes its files."""
        await harness.pull()
        shared = tmp_path / "shared"
        harness.models.rename(shared)
        harness.models.symlink_to(shared)
        await harness.all()
        copy = harness.copy(tmp_path / "copy")
        brought = await copy.pull()
        harness.publish("coder-Q8_0.gguf", 1)
        await harness.pull(Q8)  # it makes the next open search the disk for unknown versions
        assert await harness.prune() == []
        assert await copy.remove(Q4) == [brought.paths[0]]

    async def test_with_a_folder_that_both_share(self, harness: HomeHarness, tmp_path: Path) -> None:
        """A link below ``models/`` that was copied as a link leads to the original's files."""
        await harness.pull()
        (harness.models / "ada").rename(tmp_path / "big")
        (harness.models / "ada").symlink_to(tmp_path / "big")
        copy = harness.copy(tmp_path / "copy")
        before = state_of(tmp_path / "big")
        (model,) = await copy.all()
        assert await copy.remove(model.name) == []
        await copy.prune()
        assert state_of(tmp_path / "big") == before
        assert len(await harness.remove(Q4)) == 1

    async def test_without_the_originals_mark_the_models_are_the_copys(
        self, harness: HomeHarness, tmp_path: Path
    ) -> None:
        """A home that shared ``models/`` changes nothing there until the mark is deleted: then it owns the files."""
        await harness.pull()
        shared = tmp_path / "shared"
        harness.models.rename(shared)
        harness.models.symlink_to(shared)
        await harness.all()
        copy = harness.copy(tmp_path / "copy")
        await copy.all()
        shutil.rmtree(harness.directory)
        (model,) = await copy.all()
        assert model.version_id is None
        (shared / ".home").unlink()
        (model,) = await copy.all()
        assert model.version_id is not None
        assert await copy.remove(Q4) == [model.paths[0]]


class TestReached:
    async def test_through_a_link(self, harness: HomeHarness, tmp_path: Path) -> None:
        """The home is the same, with the same files."""
        model = await harness.pull()
        home_id = id_of(harness)
        (tmp_path / "link").symlink_to(harness.directory)
        linked = HomeHarness(tmp_path / "link", harness.hub)
        assert [one.version_id for one in await linked.all()] == [model.version_id]
        assert id_of(linked) == id_of(harness) == home_id
        assert len(await linked.remove(Q4)) == 1
        assert not model.paths[0].exists()

    def test_through_a_bind_mount(self, harness: HomeHarness, tmp_path: Path) -> None:
        """The home is the same there as well."""
        asyncio.run(_pulled(harness))
        home_id = id_of(harness)
        (tmp_path / "bound").mkdir()
        command = (
            f"mount --bind {harness.directory} {tmp_path}/bound && "
            f"{sys.executable} -m gglib --home {tmp_path}/bound rm --files --yes {Q4}"
        )
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", command], capture_output=True, text=True, check=False
        )
        if "unshare" in done.stderr or "mount:" in done.stderr:
            pytest.skip(f"no mount in a namespace here: {done.stderr.strip()}")
        assert (done.returncode, done.stderr) == (0, "")
        assert id_of(harness) == home_id
        assert asyncio.run(harness.all()) == []
        assert list(harness.models.rglob("*.gguf")) == []


async def _pulled(harness: HomeHarness) -> None:
    await harness.pull()
