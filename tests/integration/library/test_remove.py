"""``rm`` removes rows, ``rm --files`` deletes files, and neither touches the user's: real files, a real catalogue."""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gglib.core.errors import DownloadInProgressError, ModelNotFoundError
from gglib.core.models import GgufFacts, ModelSource, ModelSummary, NewModel
from gglib.core.versions import FileRole, IncomingFile, NewVersion, PullJob
from gglib.db import SqliteCatalog
from gglib.library.versions.deletable_files import IN_USE
from gglib.library.versions.deleting import CHANGED, collect_retired
from gglib.library.versions.incoming import SWEEP_LOCK

if TYPE_CHECKING:
    from tests.integration.library.conftest import LibraryHarness
else:
    LibraryHarness = object

CONTENT = b"x" * 100_000
KEY = "s-" + "ab" * 16
JOB = "0123456789abcdef"
SOURCE_OF_JOB = ModelSource(repo="ada/coder")


@contextmanager
def used(path: Path) -> Iterator[None]:
    """Hold a version as an engine does."""
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    try:
        yield
    finally:
        os.close(descriptor)


def update_of(model_id: int) -> PullJob:
    """Return a pull that would update a model."""
    return PullJob(
        key=JOB,
        asked="ada/coder",
        name="coder",
        aliases=(),
        source=SOURCE_OF_JOB,
        files=(IncomingFile(name="a.gguf", role=FileRole.MODEL, key=KEY, size_bytes=1, sha256="ab" * 32),),
        updates=model_id,
    )


class TestDeleting:
    async def test_all_of_the_version_goes(self, harness: LibraryHarness) -> None:
        """Shards, projector, manifest, empty directories and the row are deleted; all else stays."""
        files = {f"big-0000{number}-of-00002.gguf": CONTENT for number in (1, 2)}
        version = harness.version("ada/coder/Q4-1", files, projector=CONTENT)
        await harness.pull(version)
        other = harness.put("ada/other.gguf")
        blocks = sum(file.path.stat().st_blocks * 512 for file in version.files)
        removal = await harness.remove()
        assert await harness.catalog.list_models() == []
        assert await harness.catalog.list_versions() == []
        assert removal.deleted == tuple(file.path for file in version.files)
        assert removal.freed_bytes == blocks >= 3 * len(CONTENT)
        assert (removal.undeleted, removal.waiting) == ((), ())
        assert sorted(harness.models_dir.rglob("*")) == [other.parent, other]

    async def test_a_projector_that_was_taken_away_goes_too(self, harness: LibraryHarness) -> None:
        """It is a file of the version, whether the row names it or not (``set --mmproj none``)."""
        model = await harness.pull(harness.version("ada/Q4-1", projector=CONTENT))
        await harness.catalog.replace_model("coder", _as_new(model, projector=None))
        assert len((await harness.remove()).deleted) == 2
        assert harness.left() == []

    async def test_a_hard_link_of_the_users_stays(self, harness: LibraryHarness, tmp_path: Path) -> None:
        """The name that gglib created is deleted, the user's stays, and no freed bytes are reported."""
        version = harness.version("ada/Q4-1")
        os.link(version.files[0].path, tmp_path / "mine.gguf")
        await harness.pull(version)
        removal = await harness.remove()
        assert (removal.freed_bytes, version.files[0].path.exists()) == (0, False)
        assert (tmp_path / "mine.gguf").read_bytes() == CONTENT

    async def test_a_file_that_is_gone_is_no_error(self, harness: LibraryHarness) -> None:
        """A model whose file was deleted by hand is removed, with its version."""
        version = harness.version("ada/Q4-1")
        version.files[0].path.unlink()
        await harness.pull(version)
        assert (await harness.remove()).deleted == ()
        assert await harness.catalog.list_versions() == []
        assert list(harness.models_dir.iterdir()) == []

    async def test_a_version_in_use_goes_later(self, harness: LibraryHarness) -> None:
        """While an engine uses it only the row is removed; the next collection after that deletes the files."""
        version = harness.version("ada/Q4-1")
        await harness.pull(version)
        with used(version.hold_path):
            removal = await harness.remove()
            assert (removal.deleted, removal.waiting) == ((), ((version.files[0].path, IN_USE),))
            assert removal.waiting_bytes >= len(CONTENT)
            assert await harness.catalog.list_models() == []
        await collect_retired(harness.catalog, harness.models_dir)
        assert list(harness.models_dir.iterdir()) == []

    async def test_what_could_not_be_deleted_is_tried_again(self, harness: LibraryHarness) -> None:
        """A directory in place of the home's disk keeps the record; the file is deleted once that is possible."""
        version = harness.version("ada/Q4-1")
        await harness.pull(version)
        away = harness.models_dir.with_name("away")
        harness.models_dir.rename(away)
        await harness.remove()
        away.rename(harness.models_dir)
        assert version.files[0].path.exists()
        await collect_retired(harness.catalog, harness.models_dir)
        assert list(harness.models_dir.iterdir()) == []

    async def test_what_the_user_put_there_since_is_not_deleted(self, harness: LibraryHarness) -> None:
        """A file that replaced one whose removal was pending is the user's (kind 5)."""
        version = harness.version("ada/Q4-1")
        path = version.files[0].path
        await harness.pull(version)
        with used(version.hold_path):
            await harness.remove()
        path.unlink()
        path.write_bytes(b"y" * len(CONTENT))
        (deletion,) = await collect_retired(harness.catalog, harness.models_dir)
        assert [(kept.path, kept.reason) for kept in deletion.kept] == [(path, CHANGED)]
        assert path.read_bytes() == b"y" * len(CONTENT)
        assert await harness.catalog.list_versions() == []

    async def test_a_file_of_the_users_in_the_directory_stays(self, harness: LibraryHarness) -> None:
        """A user's file in a version's directory keeps the directory."""
        await harness.pull(harness.version("ada/Q4-1"))
        harness.put("ada/Q4-1/notes.txt", b"mine")
        await harness.remove()
        assert harness.left() == ["ada/Q4-1/notes.txt"]


class TestSparing:
    async def test_a_file_of_the_users_own(self, harness: LibraryHarness) -> None:
        """A model whose file gglib did not write is removed, and the file stays, also below ``models/``."""
        path = harness.put("mine.gguf")
        await harness.add(path, name="coder")
        plan = await harness.plan_removal()
        assert (plan.deletable, [(file.path, file.reason) for file in plan.retained]) == (
            (),
            [(path, "gglib did not download it")],
        )
        assert await harness.remove() is not None
        assert path.exists()

    async def test_a_projector_of_the_users_own(self, harness: LibraryHarness) -> None:
        """The model's own file is deleted, the projector that the user set for it stays."""
        model = await harness.pull(harness.version("ada/Q4-1"))
        users = harness.put("ada/mmproj-mine.gguf")
        await harness.catalog.replace_model("coder", _as_new(model, projector=users))
        plan = await harness.plan_removal()
        assert [file.path.name for file in plan.deletable] == ["a.gguf"]
        assert [(file.path, file.reason) for file in plan.retained] == [(users, "gglib did not download it")]
        await harness.remove()
        assert harness.left() == ["ada/mmproj-mine.gguf"]

    @pytest.mark.parametrize("change", ["written", "replaced", "link", "fifo"])
    async def test_what_is_not_the_file_that_gglib_wrote(
        self, harness: LibraryHarness, tmp_path: Path, change: str
    ) -> None:
        """A file that was modified, or replaced by another file or a link, stays, and that is reported."""
        version = harness.version("ada/Q4-1")
        path = version.files[0].path
        await harness.pull(version)
        if change == "written":
            path.write_bytes(b"y" * len(CONTENT))
        else:
            path.unlink()
        if change == "replaced":
            path.write_bytes(b"y" * len(CONTENT))
        elif change == "link":
            (tmp_path / "real.gguf").write_bytes(CONTENT)
            path.symlink_to(tmp_path / "real.gguf")
        elif change == "fifo":
            os.mkfifo(path)
        plan = await harness.plan_removal()
        reasons = {"link": "it is a link", "fifo": "it is not a regular file"}
        assert (plan.deletable, [file.reason for file in plan.retained]) == (
            (),
            [reasons.get(change, CHANGED)],
        )
        await harness.remove()
        assert path.is_symlink() or path.exists()
        assert await harness.catalog.list_versions() == []

    async def test_a_shared_projector_of_an_older_home(self, harness: LibraryHarness) -> None:
        """Two versions without directories share a projector: only the second removal deletes it."""
        projector = harness.wrote(harness.put("ada/mmproj.gguf"), FileRole.PROJECTOR)
        for name in ("q4", "q8"):
            own = harness.wrote(harness.put(f"ada/{name}.gguf"))
            await harness.pull(NewVersion(directory=None, source=SOURCE_OF_JOB, files=(own, projector)), name)
        plan = await harness.plan_removal("q4")
        assert [(file.path, file.reason) for file in plan.retained] == [
            (projector.path, "model 'q8' uses it too")
        ]
        await harness.remove("q4")
        assert harness.left() == ["ada/mmproj.gguf", "ada/q8.gguf"]
        await harness.remove("q8")
        assert harness.left() == []

    async def test_a_projector_that_is_shared_by_hard_link(self, harness: LibraryHarness) -> None:
        """Each version has its own name of the file: one is deleted, which frees nothing, and the other stays."""
        first = harness.version("ada/Q4-1", projector=CONTENT)
        second = harness.version("ada/Q8-2", {"b.gguf": CONTENT})
        linked = harness.models_dir / "ada/Q8-2/mmproj.gguf"
        os.link(first.files[1].path, linked)
        files = (*second.files, harness.wrote(linked, FileRole.PROJECTOR))
        await harness.pull(first, "q4")
        await harness.pull(replace(second, files=files), "q8")
        removal = await harness.remove("q4")
        assert len(removal.deleted) == 2
        assert removal.freed_bytes < 2 * len(CONTENT)
        assert linked.read_bytes() == CONTENT

    async def test_a_version_that_two_models_have(self, harness: LibraryHarness) -> None:
        """After the first removal it stays complete, and the reason is reported."""
        version = harness.version("ada/Q4-1")
        await harness.pull(version)
        other = harness.version("ada/Q8-2", {"b.gguf": CONTENT})
        model = await harness.pull(other, "other")
        plan = await harness.plan_removal("other")
        assert [file.path for file in plan.deletable] == [model.paths[0]]

    @pytest.mark.parametrize("way", ["path", "link", "directory"])
    async def test_a_file_that_another_model_has(
        self, harness: LibraryHarness, tmp_path: Path, way: str
    ) -> None:
        """A projector of another model, also through a link to it or its directory, stays until that one is removed."""
        version = harness.version("ada/Q4-1", projector=CONTENT)
        projector = version.files[1].path
        await harness.pull(version)
        if way == "link":
            (tmp_path / "link.gguf").symlink_to(projector)
        elif way == "directory":
            (tmp_path / "way").symlink_to(projector.parent, target_is_directory=True)
        paths = {"path": projector, "link": tmp_path / "link.gguf", "directory": tmp_path / "way/mmproj.gguf"}
        (tmp_path / "mine.gguf").write_bytes(CONTENT)
        await harness.add(tmp_path / "mine.gguf", projector=paths[way])
        plan = await harness.plan_removal()
        assert [(file.path, file.reason) for file in plan.retained] == [
            (projector, "model 'mine' uses it too")
        ]
        await harness.remove()
        assert projector.read_bytes() == CONTENT
        assert not version.files[0].path.exists()
        await harness.catalog.remove_model("mine")
        await collect_retired(harness.catalog, harness.models_dir)
        assert harness.left() == []


class TestMeanwhile:
    async def test_a_model_that_got_the_name_meanwhile(self, harness: LibraryHarness) -> None:
        """Between prompt and confirmation the model was replaced by another one: that one is not removed."""
        await harness.pull(harness.version("ada/Q4-1"))
        plan = await harness.plan_removal()
        await harness.catalog.remove_model("coder")
        other = await harness.pull(harness.version("ada/Q8-2"))
        with pytest.raises(ModelNotFoundError):
            await harness.removals.remove_model(str(plan.model.id), with_files=True)
        assert await harness.catalog.list_models() == [other]
        assert other.paths[0].exists()

    async def test_a_model_that_was_updated_meanwhile(self, harness: LibraryHarness) -> None:
        """The removal deletes the model's files at that time, not those at the time of the prompt."""
        model = await harness.pull(harness.version("ada/Q4-1"))
        plan = await harness.plan_removal()
        await harness.pull(harness.version("ada/Q4-2"), updates=model.id)
        await harness.removals.remove_model(str(plan.model.id), with_files=True)
        assert harness.left() == []

    @pytest.mark.parametrize("with_files", [True, False])
    async def test_an_update_that_is_being_pulled(self, harness: LibraryHarness, *, with_files: bool) -> None:
        """The removal reports it and changes nothing; the end of the pull would restore the row."""
        model = await harness.pull(harness.version("ada/Q4-1"))
        await harness.catalog.begin_pull(update_of(model.id))
        with (
            harness.locks.try_hold(f"pull-{JOB}"),
            pytest.raises(
                DownloadInProgressError,
                match="An update of model 'coder' is being pulled: wait until it ends",
            ),
        ):
            await harness.removals.remove_model(model.name, with_files=with_files)
        assert await harness.catalog.list_models() == [model]
        assert len(await harness.catalog.list_pulls()) == 1

    @pytest.mark.parametrize("with_files", [True, False])
    async def test_an_update_that_did_not_end(self, harness: LibraryHarness, *, with_files: bool) -> None:
        """The update ends with the model: no later gglib completes it and restores the model; its parts are deleted."""
        model = await harness.pull(harness.version("ada/Q4-1"))
        await harness.catalog.begin_pull(update_of(model.id))
        harness.put(f".incoming/{KEY}.part")
        await (harness.remove() if with_files else harness.forget())
        assert await harness.catalog.list_pulls() == []
        assert [name for name in harness.left() if "incoming" in name] == []

    async def test_what_another_pull_needs_stays(self, harness: LibraryHarness) -> None:
        """An incoming file that is shared with a pull of another model is kept."""
        model = await harness.pull(harness.version("ada/Q4-1"))
        job = update_of(model.id)
        await harness.catalog.begin_pull(job)
        await harness.catalog.begin_pull(replace(job, key="f" * 16, name="other", updates=None))
        part = harness.put(f".incoming/{KEY}.part")
        await harness.remove()
        assert [one.key for one in await harness.catalog.list_pulls()] == ["f" * 16]
        assert part.exists()

    async def test_what_a_pull_needs_that_is_being_recorded_stays(self, harness: LibraryHarness) -> None:
        """No pull is added between the check of the recorded pulls and the deletion."""
        model = await harness.pull(harness.version("ada/Q4-1"))
        job = update_of(model.id)
        await harness.catalog.begin_pull(job)
        part = harness.put(f".incoming/{KEY}.part")
        with harness.locks.try_hold(SWEEP_LOCK):
            removing = asyncio.ensure_future(harness.remove())
            await asyncio.wait([removing], timeout=0.5)
            await harness.catalog.begin_pull(replace(job, key="f" * 16, name="other", updates=None))
        async with asyncio.timeout(20):
            await removing
        assert part.exists()


class TestForgetting:
    async def test_the_files_stay_known(self, harness: LibraryHarness) -> None:
        """``rm`` keeps the files and the record that gglib wrote them."""
        version = harness.version("ada/Q4-1")
        await harness.pull(version)
        await harness.forget()
        assert [one.files for one in await harness.catalog.list_versions()] == [version.files]
        assert version.files[0].path.exists()


def _as_new(model: ModelSummary, *, projector: Path | None) -> NewModel:
    """Return a model with another projector, as ``set --mmproj`` stores it."""
    return NewModel(
        name=model.name,
        paths=model.paths,
        size_bytes=model.size_bytes or 0,
        facts=GgufFacts(architecture="llama"),
        source=model.source,
        hashes=model.hashes,
        projector=projector,
    )


REMOVE = """
import asyncio, os, signal, sys
from pathlib import Path
from gglib.db import SqliteCatalog
from gglib.library.remove import Removals
from gglib.library.versions.locks import HomeLocks

EVENTS = {"open", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "sqlite3.connect"}
left = int(sys.argv[2])
armed = False

def hook(event, arguments):
    global left
    if armed and event in EVENTS:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)

async def main(home):
    global armed
    async with SqliteCatalog(home / "gglib.db") as catalog:
        await catalog.list_models()
        removals = Removals(catalog, home / "models", HomeLocks(home))
        armed = True
        await removals.remove_model("coder", with_files=True)
        armed = False

asyncio.run(main(Path(sys.argv[1])))
"""
"""Script that kills itself before its n-th file operation."""


async def test_killed_at_any_step(harness: LibraryHarness, tmp_path: Path) -> None:
    """Whenever a removal is killed, no row is without its file, and the next gglib leaves no file without a row."""
    kills = stages = 0
    for step in range(60):
        models_dir = tmp_path / f"home-{step}" / "models"
        models_dir.mkdir(parents=True)
        async with SqliteCatalog(models_dir.parent / "gglib.db") as catalog:
            one = type(harness)(models_dir, catalog)
            files = {f"a-0000{number}-of-00002.gguf": b"x" for number in (1, 2)}
            version = one.version("ada/Q4-1", files)
            await one.pull(version)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", REMOVE, models_dir.parent, str(step)
        )
        code = await process.wait()
        async with SqliteCatalog(models_dir.parent / "gglib.db") as catalog:
            models = await catalog.list_models()
            if models:
                assert all(file.path.exists() for file in version.files), "a row without a file"
            await collect_retired(catalog, models_dir)
            assert await catalog.list_models() == models
        left = [file.path.exists() for file in version.files]
        assert left == [bool(models)] * 2, f"step {step}: {left}"
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
        stages += not models
    assert code == 0
    assert kills > 6
    assert stages > 1, "no kill came between the row and the end"
