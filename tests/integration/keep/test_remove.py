"""What ``rm --files`` deletes, what it never touches, and what a kill in the middle of it leaves."""

import asyncio
import errno
import fcntl
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import StorageError
from gglib.core.models import GgufFacts, ModelSource, ModelSummary, NewModel
from gglib.db import SqliteCatalog
from gglib.usecases.pull_journal import JobFile, PullJob, PullJournal
from gglib.usecases.removal_journal import delete_files
from gglib.usecases.remove_model import (
    Removal,
    RemovalPlan,
    finish_removals,
    plan_removal,
    remove_with_files,
)

CONTENT = b"x" * 100_000
Put = Callable[..., Path]


@pytest.fixture
def put(models_dir: Path) -> Put:
    """Return a maker of files in gglib's own directory."""

    def make(name: str, content: bytes = CONTENT) -> Path:
        path = models_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return make


def pulled(*paths: Path, name: str = "coder", projector: Path | None = None) -> NewModel:
    """Return a model that gglib downloaded."""
    return NewModel(
        name=name,
        paths=paths,
        size_bytes=1,
        facts=GgufFacts(architecture="llama"),
        projector=projector,
        projector_sha256=None if projector is None else "ab" * 32,
        is_downloaded=True,
    )


async def plan_for(catalog: SqliteCatalog, models_dir: Path, name: str = "coder") -> RemovalPlan:
    """Decide what goes with a model of the catalogue."""
    model = await catalog.resolve_model(name)
    assert model is not None
    return plan_removal(model, await catalog.list_models(), models_dir)


async def remove(catalog: SqliteCatalog, models_dir: Path, name: str = "coder") -> Removal:
    """Remove a model with its files."""
    removal = await remove_with_files(await plan_for(catalog, models_dir, name), catalog, models_dir)
    assert removal is not None
    return removal


def left_in(models_dir: Path) -> list[Path]:
    """Return all that is there, hidden or not."""
    return sorted(models_dir.rglob("*"))


class TestDeleting:
    async def test_all_of_the_model_goes(self, catalog: SqliteCatalog, models_dir: Path, put: Put) -> None:
        """Shards, projector and the directories that are empty then are gone, and the row; the rest stays."""
        shards = [put(f"ada/coder/big-0000{number}-of-00002.gguf") for number in (1, 2)]
        projector = put("ada/coder/mmproj-F16.gguf")
        other = put("ada/other/other.gguf")
        await catalog.add_model(pulled(*shards, projector=projector))
        blocks = sum(path.stat().st_blocks * 512 for path in (*shards, projector))
        removal = await remove(catalog, models_dir)
        assert await catalog.list_models() == []
        assert set(removal.deleted) == {*shards, projector}
        assert removal.freed_bytes == blocks >= 3 * len(CONTENT)
        assert left_in(models_dir) == [other.parent.parent, other.parent, other]
        assert not (models_dir / "ada" / "coder").exists()

    async def test_the_directory_of_models_stays(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put
    ) -> None:
        """The last model takes its directories along, but never ``models/`` itself."""
        await catalog.add_model(pulled(put("ada/coder/a.gguf")))
        await remove(catalog, models_dir)
        assert left_in(models_dir) == []

    def test_the_directory_of_models_is_not_emptied_away(self, models_dir: Path, put: Put) -> None:
        """Also when nothing at all is left in it, it is nobody's to remove."""
        assert delete_files([put("a.gguf")], models_dir)[0] == [models_dir / "a.gguf"]
        assert models_dir.is_dir()

    async def test_parts_and_notes_go_too(self, catalog: SqliteCatalog, models_dir: Path, put: Put) -> None:
        """What is left of a newer version that did not arrive goes, and nobody is told to go on with it."""
        path = put("ada/coder/a.gguf")
        for suffix in (".part", ".part.note"):
            put(f"ada/coder/a.gguf{suffix}")
        journal = PullJournal(models_dir)
        journal.begin(job_for(path))
        await catalog.add_model(pulled(path))
        await remove(catalog, models_dir)
        assert left_in(models_dir) == []
        assert journal.jobs() == []

    async def test_a_hard_link_frees_nothing(
        self, catalog: SqliteCatalog, models_dir: Path, tmp_path: Path, put: Put
    ) -> None:
        """A file with another name is deleted by this one, and no byte is claimed to be free."""
        path = put("a.gguf")
        os.link(path, tmp_path / "mine.gguf")
        await catalog.add_model(pulled(path))
        removal = await remove(catalog, models_dir)
        assert (removal.freed_bytes, path.exists()) == (0, False)
        assert (tmp_path / "mine.gguf").read_bytes() == CONTENT

    async def test_holes_are_not_counted(self, catalog: SqliteCatalog, models_dir: Path, put: Put) -> None:
        """What is freed are blocks on the disk, not the size that a file claims."""
        path = put("a.gguf", b"x")
        os.truncate(path, 1_000_000_000)
        await catalog.add_model(pulled(path))
        assert (await remove(catalog, models_dir)).freed_bytes < 1_000_000

    async def test_a_file_that_is_gone_is_no_error(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put
    ) -> None:
        """A model whose file somebody deleted is forgotten."""
        put("ada/a.gguf").unlink()
        await catalog.add_model(pulled(models_dir / "ada" / "a.gguf"))
        assert (await remove(catalog, models_dir)).deleted == ()
        assert await catalog.list_models() == []

    async def test_what_cannot_be_deleted_is_told_and_tried_again(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put
    ) -> None:
        """A directory in the place of a file is in the way; once it is gone, so is the note."""
        path = put("ada/a.gguf")
        await catalog.add_model(pulled(path))
        plan = await plan_for(catalog, models_dir)
        path.unlink()
        path.mkdir()
        removal = await remove_with_files(plan, catalog, models_dir)
        assert removal is not None
        assert [undeleted.path for undeleted in removal.undeleted] == [path]
        path.rmdir()
        put("ada/a.gguf")
        assert await finish_removals(catalog, models_dir) == [path]
        assert left_in(models_dir) == []

    async def test_nothing_happens_where_no_note_can_be_written(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put
    ) -> None:
        """Without a note there is no removal: row and file stay."""
        path = put("a.gguf")
        put(".removals")
        await catalog.add_model(pulled(path))
        with pytest.raises(StorageError, match="leave --files out"):
            await remove(catalog, models_dir)
        assert path.exists()
        assert len(await catalog.list_models()) == 1

    async def test_a_full_disk_has_no_room_for_a_note(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where nothing fits on the disk any more the removal does without a note, and leaves none behind."""
        path = put("a.gguf")
        await catalog.add_model(pulled(path))

        def no_room(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", no_room)
        assert (await remove(catalog, models_dir)).deleted == (path,)
        assert await catalog.list_models() == []
        assert left_in(models_dir) == []

    async def test_a_disk_that_fails_is_told(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another failure of the disk is no reason to go on: row and file stay, and no part of a note."""
        path = put("a.gguf")
        await catalog.add_model(pulled(path))

        def broken(descriptor: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(StorageError, match="leave --files out"):
            await remove(catalog, models_dir)
        assert left_in(models_dir) == [path]
        assert len(await catalog.list_models()) == 1


def job_for(path: Path) -> PullJob:
    """Return a pull that would bring a file."""
    return PullJob(
        asked="ada/coder",
        name="coder",
        aliases=(),
        source=ModelSource(),
        files=(JobFile(target=path, size_bytes=1, sha256=None),),
        projector=None,
    )


class TestSparing:
    async def spared(
        self, catalog: SqliteCatalog, models_dir: Path, model: NewModel
    ) -> tuple[dict[Path, str], RemovalPlan]:
        """Add and remove a model and return what stayed, and why."""
        await catalog.add_model(model)
        plan = await plan_for(catalog, models_dir)
        await remove_with_files(plan, catalog, models_dir)
        assert await catalog.resolve_model("coder") is None
        return {file.path: file.reason for file in plan.spared}, plan

    async def test_a_file_of_the_users_own(self, catalog: SqliteCatalog, models_dir: Path, put: Put) -> None:
        """A file that gglib did not download stays, even inside ``models/``."""
        path = put("mine.gguf")
        reasons, _ = await self.spared(catalog, models_dir, replace(pulled(path), is_downloaded=False))
        assert reasons == {path: "gglib did not download it"}
        assert path.exists()

    async def test_a_file_outside(self, catalog: SqliteCatalog, models_dir: Path, tmp_path: Path) -> None:
        """A file outside of ``models/`` stays, whatever the catalogue says of it."""
        path = tmp_path / "out.gguf"
        path.write_bytes(CONTENT)
        sideways = models_dir / ".." / ".." / "out.gguf"
        for given in (path, sideways):
            reasons, _ = await self.spared(catalog, models_dir, pulled(given))
            assert "outside" in reasons[given]
        assert path.exists()

    async def test_a_directory_that_leads_outside(
        self, catalog: SqliteCatalog, models_dir: Path, tmp_path: Path
    ) -> None:
        """A link to another disk in the place of a directory is not followed."""
        (tmp_path / "disk").mkdir()
        (tmp_path / "disk" / "a.gguf").write_bytes(CONTENT)
        (models_dir / "ada").symlink_to(tmp_path / "disk", target_is_directory=True)
        path = models_dir / "ada" / "a.gguf"
        reasons, _ = await self.spared(catalog, models_dir, pulled(path))
        assert "outside" in reasons[path]
        assert path.exists()

    async def test_a_link(self, catalog: SqliteCatalog, models_dir: Path, tmp_path: Path) -> None:
        """A link in the place of a file is somebody else's, and so is what it leads to."""
        (tmp_path / "real.gguf").write_bytes(CONTENT)
        (models_dir / "a.gguf").symlink_to(tmp_path / "real.gguf")
        reasons, _ = await self.spared(catalog, models_dir, pulled(models_dir / "a.gguf"))
        assert "link" in reasons[models_dir / "a.gguf"]
        assert (models_dir / "a.gguf").is_symlink()
        assert (tmp_path / "real.gguf").exists()

    async def test_a_file_that_is_hidden(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file in a directory that may not be searched is not taken to be gone: it is said to stay."""
        path = put("ada/a.gguf")
        look = Path.lstat

        def forbid(looked_at: Path) -> os.stat_result:
            if looked_at.parent == path.parent:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return look(looked_at)

        monkeypatch.setattr(Path, "lstat", forbid)
        reasons, _ = await self.spared(catalog, models_dir, pulled(path))
        assert reasons == {path: "it cannot be looked at (Permission denied)"}

    async def test_a_projector_that_another_model_uses(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put
    ) -> None:
        """Two quantizations share a projector: it stays with the first, and goes with the second."""
        projector = put("ada/mmproj.gguf")
        await catalog.add_model(pulled(put("ada/q8.gguf"), name="q8", projector=projector))
        reasons, _ = await self.spared(catalog, models_dir, pulled(put("ada/q4.gguf"), projector=projector))
        assert reasons == {projector: "model 'q8' uses it, too"}
        assert projector.exists()
        await remove(catalog, models_dir, "q8")
        assert not projector.exists()

    async def test_a_file_that_another_model_links_to(
        self, catalog: SqliteCatalog, models_dir: Path, tmp_path: Path, put: Put
    ) -> None:
        """A model that was added by a link to the file keeps the file."""
        path = put("a.gguf")
        (tmp_path / "link.gguf").symlink_to(path)
        await catalog.add_model(replace(pulled(tmp_path / "link.gguf", name="linked"), is_downloaded=False))
        reasons, _ = await self.spared(catalog, models_dir, pulled(path))
        assert reasons == {path: "model 'linked' uses it, too"}
        assert path.exists()

    async def test_a_file_that_another_model_reaches_by_another_way(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put
    ) -> None:
        """Two paths to one file, through a link between directories of ``models/``, are one file."""
        path = put("real/a.gguf")
        (models_dir / "link").symlink_to(models_dir / "real", target_is_directory=True)
        await catalog.add_model(pulled(path, name="straight"))
        roundabout = models_dir / "link" / "a.gguf"
        reasons, _ = await self.spared(catalog, models_dir, pulled(roundabout))
        assert reasons == {roundabout: "model 'straight' uses it, too"}
        assert path.exists()

    async def test_a_file_whose_newer_version_comes_just_now(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put
    ) -> None:
        """While another gglib fetches to the same place, nothing of it is deleted."""
        path, part, note = put("a.gguf"), put("a.gguf.part"), put("a.gguf.part.note")
        with note.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            reasons, _ = await self.spared(catalog, models_dir, pulled(path))
        assert reasons == {path: "it is being fetched now"}
        assert path.exists()
        assert part.exists()
        assert note.exists()

    async def test_a_model_that_got_the_name_meanwhile(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put
    ) -> None:
        """While the user thought about it, the model went and another one came: that one was not meant."""
        await catalog.add_model(pulled(put("old.gguf")))
        plan = await plan_for(catalog, models_dir)
        await catalog.remove_model("coder")
        other = await catalog.add_model(pulled(put("new.gguf")))
        assert await remove_with_files(plan, catalog, models_dir) is None
        assert await catalog.list_models() == [other]
        assert other.paths[0].exists()

    async def test_a_file_that_got_another_owner_meanwhile(
        self, catalog: SqliteCatalog, models_dir: Path, put: Put
    ) -> None:
        """A model that came to use the file while the user was being asked keeps it."""
        path, shared = put("a.gguf"), put("mmproj.gguf")
        await catalog.add_model(pulled(path, projector=shared))
        plan = await plan_for(catalog, models_dir)
        await catalog.add_model(pulled(put("b.gguf"), name="new", projector=shared))
        await remove_with_files(plan, catalog, models_dir)
        assert (path.exists(), shared.exists()) == (False, True)


REMOVE = """
import asyncio, os, signal, sys
from pathlib import Path
from gglib.db import SqliteCatalog
from gglib.usecases.remove_model import plan_removal, remove_with_files

EVENTS = {"open", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "sqlite3.connect"}
left = int(sys.argv[2])
armed = False

def hook(event, arguments):
    global left
    if armed and event in EVENTS and "gg-home" in str(arguments[0]):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)

async def main(home):
    global armed
    async with SqliteCatalog(home / "gglib.db") as catalog:
        model = await catalog.resolve_model("coder")
        plan = plan_removal(model, await catalog.list_models(), home / "models")
        armed = True
        await remove_with_files(plan, catalog, home / "models")
        armed = False

asyncio.run(main(Path(sys.argv[1])))
"""
"""Kills itself before the so many-th operation that touches the home."""


async def test_killed_at_any_step(tmp_path: Path) -> None:
    """Whenever a removal is killed, no row is without its file, and the next gglib leaves no file without a row."""
    kills = stages = 0
    for step in range(40):
        home = tmp_path / f"gg-home-{step}"
        models_dir = home / "models"
        (models_dir / "ada").mkdir(parents=True)
        files = [models_dir / "ada" / name for name in ("a-00001-of-00002.gguf", "a-00002-of-00002.gguf")]
        for file in files:
            file.write_bytes(b"x")
        async with SqliteCatalog(home / "gglib.db") as catalog:
            await catalog.add_model(pulled(*files))
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", REMOVE, home, str(step))
        code = await process.wait()
        async with SqliteCatalog(home / "gglib.db") as catalog:
            models: list[ModelSummary] = await catalog.list_models()
            if models:
                assert all(file.exists() for file in files), "a row without a file"
            await finish_removals(catalog, models_dir)
            assert await catalog.list_models() == models
        left = [file for file in files if file.exists()]
        assert left == (files if models else []), f"step {step}: {left}"
        assert not list(models_dir.rglob("*.json"))
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
        stages += not models
    assert code == 0
    assert kills > 6
    assert stages > 1, "no kill came between the row and the end"


async def test_a_pull_that_came_after_a_kill_keeps_its_files(
    catalog: SqliteCatalog, models_dir: Path, tmp_path: Path, put: Put
) -> None:
    """What a note would delete stays when a model has it again, a pull is about to, or it is outside of ``models/``."""
    again, coming, orphan = put("a.gguf"), put("b.gguf"), put("c.gguf")
    part = put("b.gguf.part")
    outside = tmp_path / "outside"
    outside.write_bytes(CONTENT)
    note = put(".removals/1.json", f'["{again}", "{coming}", "{part}", "{orphan}", "{outside}"]'.encode())
    await catalog.add_model(pulled(again))
    PullJournal(models_dir).begin(job_for(coming))
    assert await finish_removals(catalog, models_dir) == [orphan]
    assert (again.exists(), coming.exists(), outside.exists(), note.exists()) == (True, True, True, False)
    assert part.exists()


async def test_a_removal_that_is_under_way_is_left_alone(
    catalog: SqliteCatalog, models_dir: Path, put: Put
) -> None:
    """The note of a gglib that lives is locked, and nobody else touches what is in it."""
    path = put("a.gguf")
    note = put(".removals/1.json", f'["{path}"]'.encode())
    with note.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert await finish_removals(catalog, models_dir) == []
    assert path.exists()
    assert await finish_removals(catalog, models_dir) == [path]


async def test_a_torn_note_deletes_nothing(catalog: SqliteCatalog, models_dir: Path, put: Put) -> None:
    """A note that is no JSON is forgotten."""
    path, note = put("a.gguf"), put(".removals/1.json", b'["/ho')
    assert await finish_removals(catalog, models_dir) == []
    assert (path.exists(), note.exists()) == (True, False)
