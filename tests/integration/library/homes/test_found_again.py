"""Versions missing in the catalogue are found on the disk; opening a consistent home costs nothing."""

import asyncio
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.integration.library.homes.harness import Q4, Q8, HomeHarness, state_of

from gglib.library.versions import reconcile
from gglib.library.versions.ownership import identity_of

DATABASE = ("gglib.db", "gglib.db-wal", "gglib.db-shm")
_counted: list[str] = []
_is_counting = False


@pytest.fixture
def harness(tmp_path: Path) -> HomeHarness:
    """Return a home whose hub offers one model."""
    harness = HomeHarness(tmp_path / "home")
    harness.publish()
    return harness


def back_up(harness: HomeHarness) -> bytes:
    """Return the database as a backup contains it."""
    with closing(sqlite3.connect(harness.directory / "gglib.db")) as connection:
        return connection.serialize()


def restore(harness: HomeHarness, backup: bytes) -> None:
    """Replace the database by a backup."""
    for name in DATABASE:
        (harness.directory / name).unlink(missing_ok=True)
    (harness.directory / "gglib.db").write_bytes(backup)


class TestRestored:
    async def test_versions_that_came_since_are_known_again(self, harness: HomeHarness) -> None:
        """They are found as versions without a model: a pull adopts them without fetching, prune frees them."""
        await harness.pull()
        backup = back_up(harness)
        harness.publish("coder-Q8_0.gguf", 1)
        model = await harness.pull(Q8)
        restore(harness, backup)
        async with harness.opened() as catalog:
            versions = await catalog.list_versions()
            assert len(await catalog.list_models()) == 1
        (found,) = [version for version in versions if version.directory == model.paths[0].parent]
        assert [(file.path, file.identity) for file in found.files] == [
            (model.paths[0], identity_of(model.paths[0]))
        ]
        fetched = len(harness.hub.fetches)
        assert (await harness.pull(Q8)).paths == model.paths
        assert len(harness.hub.fetches) == fetched
        restore(harness, backup)
        assert await harness.prune() == [model.paths[0]]

    async def test_a_model_whose_version_is_gone_says_what_brings_it_back(
        self, harness: HomeHarness, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An update since the backup deleted the row's files; the newer version is on the disk, and is adopted."""
        await harness.pull()
        backup = back_up(harness)
        harness.publish(seed=3)
        updated = await harness.pull()
        restore(harness, backup)
        with caplog.at_level(logging.WARNING):
            (model,) = await harness.all()
        assert not model.paths[0].exists()
        assert caplog.messages == [
            f"The files of '{model.name}' are missing: 'gglib pull {Q4}' restores them."
        ]
        fetched = len(harness.hub.fetches)
        assert (await harness.pull()).paths == updated.paths
        assert len(harness.hub.fetches) == fetched

    async def test_files_that_came_again_since_are_gglibs(self, harness: HomeHarness) -> None:
        """The same version at the same path has other inodes: its manifest has the present ones."""
        await harness.pull()
        backup = back_up(harness)
        assert len(await harness.remove(Q4)) == 1
        hold = harness.models / "hold"  # so that the inode is not reused
        hold.write_bytes(b"x")
        model = await harness.pull()
        restore(harness, backup)
        assert await harness.remove(Q4) == [model.paths[0]]

    async def test_without_a_database(self, harness: HomeHarness) -> None:
        """After the loss of the catalogue every version is found again, and the same pulls add their rows."""
        model = await harness.pull()
        for name in DATABASE:
            (harness.directory / name).unlink(missing_ok=True)
        async with harness.opened() as catalog:
            (version,) = await catalog.list_versions()
        assert version.directory == model.paths[0].parent
        fetched = len(harness.hub.fetches)
        assert (await harness.pull()).version_id == version.id
        assert len(harness.hub.fetches) == fetched

    async def test_an_older_database_in_another_place(self, harness: HomeHarness, tmp_path: Path) -> None:
        """With models and a database of different dates on another disk, the content shows which files are gglib's."""
        await harness.pull()
        backup = back_up(harness)
        harness.publish("coder-Q8_0.gguf", 1)
        await harness.pull(Q8)
        copy = harness.copy(tmp_path / "copy")
        shutil.rmtree(harness.directory)
        restore(copy, backup)
        async with copy.opened() as catalog:
            assert len(await catalog.list_versions()) == 2
        assert len(await copy.prune()) == 1

    async def test_the_users_copy_of_a_version_stays_the_users(self, harness: HomeHarness) -> None:
        """A directory that was copied inside ``models/`` has a manifest, and other inodes."""
        model = await harness.pull()
        directory = model.paths[0].parent
        shutil.copytree(directory, directory.with_name(f"{directory.name}-2"))
        shutil.copytree(directory, harness.models / "mine" / directory.name)
        async with harness.opened() as catalog:
            assert len(await catalog.list_versions()) == 1
        assert await harness.prune() == []

    async def test_what_was_published_before_a_kill_is_known(self, harness: HomeHarness) -> None:
        """After a kill between the rename and the row, and a restored database, the disk is searched."""
        await harness.all()
        backup = back_up(harness)
        model = await harness.pull()
        restore(harness, backup)
        async with harness.opened() as catalog:
            (version,) = await catalog.list_versions()
        assert version.directory == model.paths[0].parent


class TestInOrder:
    async def test_nothing_is_searched(self, harness: HomeHarness, monkeypatch: pytest.MonkeyPatch) -> None:
        """A second open of a consistent home neither searches the disk nor writes a byte."""
        await harness.pull()
        await harness.all()
        before = state_of(harness.directory)

        def search(*_: object, **__: object) -> None:
            raise AssertionError("the disk is searched")

        monkeypatch.setattr(reconcile, "scan", search)
        await harness.all()
        assert {name: value for name, value in state_of(harness.directory).items() if "-shm" not in name} == {
            name: value for name, value in before.items() if "-shm" not in name
        }

    async def test_no_file_of_a_model_is_opened(self, harness: HomeHarness) -> None:
        """Opening a consistent home opens the database and small files, and lists one directory."""
        await harness.pull()
        await harness.all()
        with counted() as events:
            await harness.all()
        assert not [event for event in events if event.endswith(".gguf")]
        listed = {event for event in events if event.startswith(("os.scandir", "os.listdir"))}
        assert listed <= {
            f"os.scandir {harness.models / '.incoming'}",
            f"os.listdir {harness.models / '.incoming'}",
            f"os.listdir {harness.directory / 'locks'}",
        }


class TestNotWritable:
    async def test_a_full_disk(
        self,
        harness: HomeHarness,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        tmp_path: Path,
    ) -> None:
        """If its path cannot be recorded, a copy lists its models, changes nothing, and reports why in one sentence."""
        await harness.pull()
        copy = harness.copy(tmp_path / "copy")
        before = state_of(copy.models)

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("gglib.system.files.locks.open_regular", full)
        with caplog.at_level(logging.WARNING):
            assert len(await copy.all()) == 1
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith(f"Maintenance of the home {copy.directory} was skipped: ")
        with pytest.raises(Exception, match=r"Maintenance of the home .* failed"):
            await copy.remove(Q4)
        assert state_of(copy.models) == before

    def test_a_home_that_may_not_be_written(self, harness: HomeHarness) -> None:
        """Its models are listed, without a warning."""
        asyncio.run(_pulled(harness))
        before = state_of(harness.models)
        for directory in (harness.models, harness.directory):
            directory.chmod(0o500)
        try:
            listed = as_another_user(harness, "list")
        finally:
            for directory in (harness.directory, harness.models):
                directory.chmod(0o700)
        assert listed.returncode == 0
        assert [line[:8] for line in listed.stderr.splitlines()] == ["1 model,"]  # the total, of a pipe
        assert "coder-Q4_K_M" in listed.stdout
        assert state_of(harness.models) == before


async def _pulled(harness: HomeHarness) -> None:
    await harness.pull()
    await harness.all()


def as_another_user(harness: HomeHarness, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user that permissions apply to, even if root runs the tests."""
    program = [sys.executable, "-m", "gglib", "--home", str(harness.directory), *arguments]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv to take root's privileges away")
        program = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *program]
    return subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)


def _count(event: str, args: tuple[object, ...]) -> None:
    if _is_counting and event in {"open", "os.scandir", "os.listdir"}:
        _counted.append(f"{event} {args[0]}")


sys.addaudithook(_count)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the opened files and the listed directories."""
    global _is_counting  # noqa: PLW0603 - an audit hook cannot be removed
    _counted.clear()
    _is_counting = True
    try:
        yield _counted
    finally:
        _is_counting = False
