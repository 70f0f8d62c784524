"""What ``prune`` frees, and what it never touches: real files, real pulls' notes, a real catalogue."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gglib.core.errors import StorageError
from gglib.core.models import GgufFacts, ModelSource, NewModel
from gglib.db import SqliteCatalog
from gglib.usecases import own_files
from gglib.usecases.disk_use import DiskUse, disk_use
from gglib.usecases.own_files import OwnFile, OwnFiles
from gglib.usecases.prune_models import FETCHED_NOW, IS_LINK, NOT_OURS, Pruned, PrunePlan, Pruner
from gglib.usecases.pull_journal import JobFile, PullJob, PullJournal
from gglib.usecases.remove_model import CHANGED, forget_model, plan_removal

CONTENT = b"x" * 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PART_NOTE = b"a note on a part"
SOURCE = ModelSource(origin="hub", repo="ada/coder", revision="c0ffee", file="a.gguf", sha256=SHA256)


class House:
    """A home with models, and what frees it."""

    def __init__(self, models_dir: Path, catalog: SqliteCatalog) -> None:
        self.models_dir, self.catalog = models_dir, catalog
        self.own = OwnFiles(models_dir)
        self.journal = PullJournal(models_dir)
        self.pruner = Pruner(
            own=self.own,
            journal=self.journal,
            is_part_note=lambda content: content == PART_NOTE,
            work_name=".starter",
        )

    def put(self, name: str, content: bytes = CONTENT, *, is_own: bool = True) -> Path:
        """Make a file, which gglib wrote or which the user put there."""
        path = self.models_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if is_own:
            self.own.note(path, sha256=hashlib.sha256(content).hexdigest(), source=SOURCE)
        return path

    async def add(
        self, *paths: Path, name: str = "coder", projector: Path | None = None, is_downloaded: bool = False
    ) -> None:
        """Put a model into the catalogue, by default one whose row does not say that gglib downloaded it."""
        await self.catalog.add_model(
            NewModel(
                name=name,
                paths=paths,
                size_bytes=1,
                facts=GgufFacts(architecture="llama"),
                projector=projector,
                is_downloaded=is_downloaded,
            )
        )

    async def plan(self, *, is_serving: bool = False) -> PrunePlan:
        """Look what there is to free."""
        return self.pruner.plan(await self.catalog.list_models(), is_serving=is_serving)

    async def prune(self) -> Pruned:
        """Free it."""
        return await self.pruner.prune(await self.plan(), self.catalog, is_serving=False)

    async def kept(self) -> dict[str, str]:
        """Prune and return what no model uses and is still there, and why."""
        before = {path for path in self.models_dir.rglob("*") if not path.is_dir()}
        plan = await self.plan()
        await self.prune()
        for file in plan.spared:
            assert file.path.is_symlink() or file.path.exists()
        assert {file.path for file in plan.doomed} <= before
        return {str(file.path.relative_to(self.models_dir)): file.reason for file in plan.spared}

    def left(self) -> list[str]:
        """Return all that is there, notes apart."""
        names = (str(path.relative_to(self.models_dir)) for path in self.models_dir.rglob("*"))
        return sorted(name for name in names if not name.startswith((".written", ".pulls")))


@pytest.fixture(name="house")
def make_house(models_dir: Path, catalog: SqliteCatalog) -> House:
    """Return a house without a model."""
    return House(models_dir, catalog)


def job_for(path: Path) -> PullJob:
    """Return a pull that brings a file."""
    return PullJob(
        asked="ada/coder:Q4_K_M",
        name="coder",
        aliases=(),
        source=SOURCE,
        files=(JobFile(target=path, size_bytes=len(CONTENT), sha256=SHA256),),
        projector=None,
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a note as a pull that runs does."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_fifo(note: Path) -> None:
    """Put a FIFO in the place of a note."""
    note.unlink()
    os.mkfifo(note)


def make_endless(note: Path) -> None:
    """Put a link to a device without end in the place of a note."""
    note.unlink()
    note.symlink_to("/dev/zero")


class TestFreeing:
    async def test_what_no_model_uses_goes_with_its_directories(self, house: House) -> None:
        """Files without a row go, the freed blocks are told, and no note of theirs is left; used ones stay."""
        used = house.put("ada/coder/a.gguf")
        unused = [house.put("ada/old/b.gguf"), house.put("c.gguf")]
        await house.add(used)
        blocks = sum(path.stat().st_blocks * 512 for path in unused)
        pruned = await house.prune()
        assert set(pruned.deleted) == set(unused)
        assert pruned.freed_bytes == blocks >= 2 * len(CONTENT)
        assert house.left() == ["ada", "ada/coder", "ada/coder/a.gguf"]
        assert set(house.own.all()) == {used}

    async def test_nothing_is_left_of_nothing(self, house: House) -> None:
        """With the last file the directory of notes goes, too; ``models/`` itself stays."""
        house.put("ada/a.gguf")
        await house.prune()
        assert list(house.models_dir.iterdir()) == []

    async def test_empty_directories_go(self, house: House) -> None:
        """Also nested ones; one with a file of the user's stays."""
        (house.models_dir / "ada/old/older").mkdir(parents=True)
        house.put("eve/mine.txt", is_own=False)
        assert (await house.plan()).doomed == ()
        await house.prune()
        assert house.left() == ["eve", "eve/mine.txt"]

    async def test_parts_that_no_pull_resumes_go(self, house: House) -> None:
        """A part with gglib's note beside it, and one of a file that gglib wrote; of a used file as well."""
        used = house.put("a.gguf")
        await house.add(used)
        house.put("a.gguf.part", is_own=False)
        house.put("b.gguf.part", is_own=False)
        house.put("b.gguf.part.note", PART_NOTE, is_own=False)
        assert await house.kept() == {}
        assert house.left() == ["a.gguf"]

    async def test_what_a_killed_download_of_the_starter_left_goes(self, house: House) -> None:
        """Its working directory, unless a gglib serves this home, which may be at it."""
        wheel = house.put(".starter/w.whl", is_own=False)
        serving = await house.plan(is_serving=True)
        assert [(file.path, file.reason) for file in serving.spared] == [(wheel, FETCHED_NOW)]
        assert serving.doomed == ()
        await house.prune()
        assert house.left() == []

    async def test_a_file_with_another_name_frees_nothing(self, house: House, tmp_path: Path) -> None:
        """A hard link elsewhere keeps the bytes: the file goes, and no byte is claimed."""
        os.link(house.put("a.gguf"), tmp_path / "mine.gguf")
        pruned = await house.prune()
        assert (pruned.freed_bytes, len(pruned.deleted)) == (0, 1)
        assert (tmp_path / "mine.gguf").read_bytes() == CONTENT

    async def test_a_home_that_was_copied_is_known_by_its_hashes(self, house: House) -> None:
        """Where only the time of a file is another one, its content decides."""
        path = house.put("a.gguf")
        os.utime(path, ns=(1, 1))
        assert [file.path for file in (await house.plan()).doomed] == [path]


class TestSparing:
    async def test_the_users_own_files(self, house: House) -> None:
        """What gglib has no note of stays, whatever it is called; so does what was put in the place of its file."""
        house.put("mine.gguf", is_own=False)
        house.put("mine.gguf.part", is_own=False)
        house.put("mine.gguf.part.note", b"my own notes", is_own=False)
        house.put("grown.gguf").write_bytes(CONTENT + b"x")
        house.put("same-size.gguf").write_bytes(b"y" * len(CONTENT))
        os.utime(house.models_dir / "same-size.gguf", ns=(1, 1))
        assert await house.kept() == {
            "mine.gguf": NOT_OURS,
            "mine.gguf.part": NOT_OURS,
            "mine.gguf.part.note": NOT_OURS,
            "grown.gguf": CHANGED,
            "same-size.gguf": CHANGED,
        }

    async def test_a_file_that_another_row_uses(self, house: House, tmp_path: Path) -> None:
        """As a projector, through a link, through another spelling of a directory, or as another name of the file."""
        shared, linked, spelt, hard = (
            house.put(f"{name}.gguf") for name in ("shared", "linked", "spelt", "hard")
        )
        first, second = house.put("first.gguf"), house.put("second.gguf")
        (tmp_path / "link.gguf").symlink_to(linked)
        (tmp_path / "way").symlink_to(house.models_dir, target_is_directory=True)
        os.link(hard, tmp_path / "hard.gguf")
        await house.add(first, name="first", projector=shared)
        await house.add(second, name="second", projector=shared)
        await house.add(tmp_path / "link.gguf", name="linked")
        await house.add(tmp_path / "way" / spelt.name, name="spelt")
        await house.add(tmp_path / "hard.gguf", name="hard")
        assert (await house.prune()).deleted == ()
        await house.catalog.remove_model("first")
        assert (await house.prune()).deleted == (first,)
        await house.catalog.remove_model("second")
        assert set((await house.prune()).deleted) == {second, shared}

    async def test_links_are_not_followed(self, house: House, tmp_path: Path) -> None:
        """A link to a file, to a directory or in a circle stays, with all that is behind it."""
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "a.gguf").write_bytes(CONTENT)
        target = house.put("a.gguf")
        target.unlink()
        target.symlink_to(outside / "a.gguf")
        (house.models_dir / "ada").symlink_to(outside, target_is_directory=True)
        (house.models_dir / "loop").symlink_to(house.models_dir, target_is_directory=True)
        assert await house.kept() == {"a.gguf": IS_LINK, "ada": IS_LINK, "loop": IS_LINK}
        assert (outside / "a.gguf").read_bytes() == CONTENT

    async def test_a_models_directory_behind_a_link(self, house: House, tmp_path: Path) -> None:
        """Models on another disk are reached through a link to it, which is followed."""
        path = house.put("ada/a.gguf")
        (tmp_path / "link").symlink_to(house.models_dir, target_is_directory=True)
        behind = House(tmp_path / "link", house.catalog)
        assert len((await behind.prune()).deleted) == 1
        assert not path.exists()

    async def test_what_is_no_file(self, house: House) -> None:
        """A FIFO is not waited for, and stays."""
        path = house.put("a.gguf")
        path.unlink()
        os.mkfifo(path)
        os.mkfifo(house.models_dir / "b.gguf.part.note")
        assert await house.kept() == {"a.gguf": "it is no file", "b.gguf.part.note": "it is no file"}

    async def test_a_pull_that_did_not_end(self, house: House) -> None:
        """Its parts can be resumed: they stay, with what lists them; so do files of it that came whole."""
        target = house.models_dir / "ada/a.gguf"
        house.journal.begin(job_for(target))
        house.put("ada/a.gguf.part", is_own=False)
        house.put("ada/a.gguf.part.note", PART_NOTE, is_own=False)
        reason = "the pull of 'coder' did not end: 'gglib pull' lists how to go on or give it up"
        assert await house.kept() == {"ada/a.gguf.part": reason, "ada/a.gguf.part.note": reason}
        house.put("ada/a.gguf")
        assert (await house.kept())["ada/a.gguf"] == reason

    async def test_the_directory_of_a_pull_that_begins(self, house: House) -> None:
        """It is empty until the first byte comes, and stays."""
        target = house.models_dir / "ada/coder/a.gguf"
        target.parent.mkdir(parents=True)
        house.journal.begin(job_for(target))
        await house.prune()
        assert target.parent.is_dir()

    async def test_a_fetch_that_runs(self, house: House) -> None:
        """A part whose note is locked belongs to a process that lives, whatever notes of pulls say."""
        house.put("b.gguf.part", is_own=False)
        note = house.put("b.gguf.part.note", PART_NOTE, is_own=False)
        with locked(note):
            assert await house.kept() == {"b.gguf.part": FETCHED_NOW, "b.gguf.part.note": FETCHED_NOW}
        await house.prune()
        assert house.left() == []


class TestMeanwhile:
    """Between the question and the answer."""

    async def test_a_model_was_added(self, house: House) -> None:
        """A file that has got a row since it was shown stays."""
        path = house.put("a.gguf")
        plan = await house.plan()
        await house.add(path)
        assert (await house.pruner.prune(plan, house.catalog, is_serving=False)).deleted == ()

    async def test_a_pull_began(self, house: House) -> None:
        """A file that a pull is about to use stays."""
        path = house.put("a.gguf")
        plan = await house.plan()
        house.journal.begin(job_for(path))
        assert (await house.pruner.prune(plan, house.catalog, is_serving=False)).deleted == ()
        assert path.exists()

    async def test_a_file_came(self, house: House) -> None:
        """What was not shown is not deleted."""
        shown = house.put("a.gguf")
        plan = await house.plan()
        late = house.put("b.gguf")
        assert (await house.pruner.prune(plan, house.catalog, is_serving=False)).deleted == (shown,)
        assert late.exists()

    async def test_what_begins_to_use_files_waits_for_a_prune(self, house: House) -> None:
        """While one decides, another one that holds the lock is waited for, in this process and in others."""
        import asyncio

        path = house.put("a.gguf")
        plan = await house.plan()
        async with OwnFiles(house.models_dir).changing():
            pruning = asyncio.ensure_future(house.pruner.prune(plan, house.catalog, is_serving=False))
            await asyncio.sleep(0)
            await house.add(path)
            assert not pruning.done()
        assert (await pruning).deleted == ()

    async def test_a_lock_that_is_never_let_go_is_one_sentence(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A gglib that is stopped in the middle keeps others from deleting, and they say so."""
        monkeypatch.setattr(own_files, "_LOOKS", 2)
        async with OwnFiles(house.models_dir).changing():
            with pytest.raises(
                StorageError, match=f"Another gglib is deleting files in {house.models_dir}: "
            ):
                await house.prune()


class TestOwning:
    async def test_a_model_that_was_forgotten_and_added_again(self, house: House) -> None:
        """Its files are still gglib's: ``rm --files`` deletes them, and ``prune`` does when it has no row."""
        path = house.put("a.gguf", is_own=False)
        await house.catalog.add_model(
            NewModel(
                name="coder",
                paths=(path,),
                size_bytes=len(CONTENT),
                facts=GgufFacts(architecture="llama"),
                hashes=(SHA256,),
                is_downloaded=True,
            )
        )
        await forget_model("coder", house.catalog, house.models_dir)
        assert [file.path for file in (await house.plan()).doomed] == [path]
        await house.add(path)
        assert (await house.plan()).doomed == ()
        model = await house.catalog.resolve_model("coder")
        assert model is not None
        assert not model.is_downloaded
        plan = plan_removal(model, [model], house.models_dir)
        assert ([file.path for file in plan.doomed], plan.spared) == ([path], ())

    async def test_a_row_vouches_for_a_file_by_its_hash_alone(self, house: House) -> None:
        """A file that the user had replaced before an older gglib's row went is not taken for gglib's."""
        path = house.put("a.gguf", b"y" * len(CONTENT), is_own=False)
        await house.catalog.add_model(
            NewModel(
                name="coder",
                paths=(path,),
                size_bytes=len(CONTENT),
                facts=GgufFacts(architecture="llama"),
                hashes=(SHA256,),
                is_downloaded=True,
            )
        )
        await forget_model("coder", house.catalog, house.models_dir)
        assert await house.kept() == {"a.gguf": CHANGED}

    def test_a_pinned_file_is_known_in_an_older_home(self, house: House) -> None:
        """Without any note, by its place, its size and its hash."""
        path = house.put("starter.gguf", is_own=False)
        pinned = OwnFile(path=path, size_bytes=len(CONTENT), changed_ns=None, sha256=SHA256, source=SOURCE)
        own = OwnFiles(house.models_dir, pinned=(pinned,))
        assert own.find(path) == pinned
        path.write_bytes(b"y" * len(CONTENT))
        assert own.find(path) is None

    def test_a_note_is_the_same_when_the_home_moves(self, house: House, tmp_path: Path) -> None:
        """Paths are relative to ``models/``."""
        house.put("ada/a.gguf")
        moved = tmp_path / "moved"
        house.models_dir.rename(moved)
        assert OwnFiles(moved).find(moved / "ada/a.gguf") is not None

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda note: note.write_text("[" * 100_000),
            lambda note: note.write_text('{"format": 1}'),
            lambda note: note.write_text(note.read_text().replace("a.gguf", "../../x")),
            lambda note: note.write_text(note.read_text().replace('"a.gguf"', '"/etc/passwd"')),
            lambda note: note.write_text(note.read_text().replace('"size_bytes": ', '"size_bytes": 1.')),
            make_fifo,
            make_endless,
        ],
    )
    def test_a_bad_note_owns_nothing(
        self, house: House, spoil: Callable[[Path], object], caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is skipped, and the log names it."""
        path = house.put("a.gguf")
        (note,) = (house.models_dir / ".written").iterdir()
        spoil(note)
        assert house.own.find(path) is None
        assert caplog.messages[0].startswith(f"{note} is skipped: ")

    def test_drafts_of_killed_writers_are_swept(self, house: House) -> None:
        """One that a living writer holds stays."""
        house.put("a.gguf")
        dead, living = (house.models_dir / ".written" / f"{n}.draft" for n in (1, 2))
        dead.touch()
        living.touch()
        with locked(living):
            assert house.own.sweep_drafts() == [dead]
        assert living.exists()


async def test_the_disk_use_counts_each_file_once(house: House, tmp_path: Path) -> None:
    """Two rows that share a projector, a hard link, a file that is gone, and the part of it that is gglib's own."""
    own, projector = house.put("a.gguf"), house.put("eye.gguf")
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(CONTENT)
    os.link(mine, tmp_path / "twin.gguf")
    await house.add(own, name="own", projector=projector)
    await house.add(mine, name="mine", projector=projector)
    await house.add(tmp_path / "twin.gguf", name="twin")
    await house.add(tmp_path / "gone.gguf", name="gone")
    use = disk_use(await house.catalog.list_models(), house.own)
    assert use == DiskUse(models=4, total_bytes=3 * len(CONTENT), own_bytes=2 * len(CONTENT))


class TestAUsersProjectorInsideModels:
    """The user put a projector into ``models/`` and set it for a model that gglib downloaded."""

    @pytest.fixture(name="users")
    async def set_up(self, house: House) -> Path:
        """Return the projector of the user."""
        projector = house.put("ada/mmproj-mine.gguf", is_own=False)
        await house.add(house.put("ada/a.gguf"), projector=projector, is_downloaded=True)
        return projector

    async def test_rm_keeps_it(self, house: House, users: Path) -> None:
        """``rm --files`` deletes the model's own file, and says that the projector is not gglib's."""
        (model,) = await house.catalog.list_models()
        plan = plan_removal(model, [model], house.models_dir, house.own)
        assert [file.path.name for file in plan.doomed] == ["a.gguf"]
        assert [(file.path, file.reason) for file in plan.spared] == [(users, "gglib did not download it")]

    async def test_prune_keeps_it_after_rm(self, house: House, users: Path) -> None:
        """A model that is forgotten does not turn it into a file of gglib's, which ``prune`` would delete."""
        await forget_model("coder", house.catalog, house.models_dir)
        assert await house.kept() == {"ada/mmproj-mine.gguf": NOT_OURS}
        assert house.left() == ["ada", str(users.relative_to(house.models_dir))]

    async def test_the_total_does_not_count_it(self, house: House, users: Path) -> None:
        """It is on the disk, but nothing that gglib may free."""
        use = disk_use(await house.catalog.list_models(), house.own)
        assert use == DiskUse(models=1, total_bytes=2 * blocks(users), own_bytes=blocks(users))


class TestAReplacedFileOfADownload:
    async def test_rm_keeps_it(self, house: House) -> None:
        """A file that was put in the place of the one that gglib wrote stays, whatever the row says."""
        path = house.put("ada/a.gguf")
        await house.add(path, is_downloaded=True)
        path.write_bytes(b"y" * len(CONTENT))
        (model,) = await house.catalog.list_models()
        plan = plan_removal(model, [model], house.models_dir, house.own)
        assert (plan.doomed, [file.reason for file in plan.spared]) == ((), [CHANGED])


def blocks(path: Path) -> int:
    """Return what a file takes on the disk."""
    status = path.stat()
    return min(status.st_size, status.st_blocks * 512)
