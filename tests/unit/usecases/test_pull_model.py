"""A pull: what is planned, what is fetched, what is entered, and what an interruption leaves."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import (
    BeingFetchedError,
    DiskFullError,
    HubUnreachableError,
    InvalidGgufError,
    InvalidSettingError,
    ModelExistsError,
    NoSuchChoiceError,
    RepositoryNotFoundError,
    StorageError,
    UnreadableFileError,
)
from gglib.core.fit import Fit, MachineMemory
from gglib.core.models import GgufFacts, ModelSettings, ModelSummary, NewModel
from gglib.core.pull_target import read_target
from gglib.gguf import read_model, read_partial_facts
from gglib.testing import FakeCatalog, FakeHub, write_tiny_gguf, write_tiny_projector
from gglib.usecases import pull_model
from gglib.usecases.add_model import AddRequest, ModelFiles, add_model
from gglib.usecases.plan_pull import PullPlan, PullPlanner
from gglib.usecases.pull_journal import PullJournal
from gglib.usecases.pull_model import Puller, PullProgress, discard_interrupted, finish_interrupted
from gglib.usecases.set_projector import set_projector

REPO = "ada/tiny-GGUF"
PLENTY = MachineMemory(total_bytes=64 << 30, available_bytes=64 << 30)


def ignore(_progress: PullProgress) -> None:
    """Tell nobody."""


class DyingCatalog(FakeCatalog):
    """The process dies when the row is written."""

    async def add_model(self, model: NewModel) -> ModelSummary:
        """Die."""
        del model
        raise RuntimeError("killed")


class House:
    """A home with a catalogue, and a hub with one repository of two quantizations."""

    def __init__(self, directory: Path) -> None:
        self.models = directory / "models"
        self.models.mkdir()
        self.file = write_tiny_gguf(directory / "tiny.gguf").read_bytes()
        self.other_file = write_tiny_gguf(directory / "other.gguf", seed=1).read_bytes()
        self.store = FakeCatalog()
        self.hub = FakeHub()
        self.hub.add_repository(
            REPO, {"tiny-Q4_K_M.gguf": self.file, "tiny-Q8_0.gguf": self.other_file, "README.md": b"hi"}
        )
        self.journal = PullJournal(self.models)
        self.puller = Puller(hub=self.hub, store=self.store, journal=self.journal, read_model=read_model)

    async def plan(
        self,
        target: str,
        *,
        memory: MachineMemory = PLENTY,
        name: str | None = None,
        aliases: Sequence[str] = (),
    ) -> PullPlan:
        """Plan a pull of what a text names."""
        planner = PullPlanner(
            hub=self.hub,
            store=self.store,
            models_dir=self.models,
            read_facts=read_partial_facts,
            memory=memory,
            default_ctx=8192,
        )
        return await planner.plan(read_target(target), name=name, aliases=aliases)

    def files(self) -> list[str]:
        """Return what is in ``models/``, directories and the notes of gglib's own files apart."""
        paths = (path for path in self.models.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.models)) for path in paths if path.parent.name != ".written")


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Return a house without any model."""
    return House(tmp_path)


class TestPlanning:
    async def test_a_named_quantization_is_taken_and_nobody_is_asked(self, house: House) -> None:
        """The file, where it goes, what it is called, and where it comes from."""
        plan = await house.plan(f"{REPO}:q8_0")
        assert (plan.name, plan.aliases, plan.was_chosen) == ("tiny-Q8_0", (f"{REPO}:Q8_0",), False)
        assert [file.target for file in plan.files] == [house.models / "ada/tiny-GGUF/tiny-Q8_0.gguf"]
        assert plan.total_bytes == len(house.other_file)
        assert (plan.source.origin, plan.source.repo, plan.source.file) == ("hub", REPO, "tiny-Q8_0.gguf")
        assert plan.fit is Fit.FITS
        assert house.files() == []

    async def test_without_a_name_the_usual_one_that_fits_is_chosen(self, house: House) -> None:
        """Q4_K_M goes first; the plan says that gglib chose, and what else there is."""
        plan = await house.plan(REPO)
        assert (plan.quantization, plan.was_chosen) == ("Q4_K_M", True)
        assert [offer.quantization for offer in plan.others] == ["Q8_0"]

    async def test_nothing_that_fits_is_one_sentence(self, house: House) -> None:
        """On a machine without memory the error says what the smallest needs, and how to get it all the same."""
        with pytest.raises(NoSuchChoiceError, match="gglib pull"):
            await house.plan(REPO, memory=MachineMemory(total_bytes=1 << 20, available_bytes=1 << 20))
        plan = await house.plan(
            f"{REPO}:Q8_0", memory=MachineMemory(total_bytes=1 << 20, available_bytes=1 << 20)
        )
        assert plan.fit is Fit.TOO_LARGE

    async def test_a_revision_that_was_asked_for_has_a_place_of_its_own(self, house: House) -> None:
        """Two versions of a file can be here at the same time."""
        commit = (await house.hub.repository(REPO)).revision
        house.hub.add_repository(REPO, {"tiny-Q4_K_M.gguf": house.other_file})
        plan = await house.plan(f"{REPO}:Q4_K_M@{commit}")
        assert plan.files[0].target == house.models / f"ada/tiny-GGUF@{commit}/tiny-Q4_K_M.gguf"
        assert plan.source.revision == commit

    async def test_what_is_no_model_is_refused_before_it_is_fetched(self, house: House) -> None:
        """A file with another content than its name says, and a projector by itself."""
        house.hub.add_repository("ada/odd", {"odd-Q4_K_M.gguf": b"<html>" * 100})
        with pytest.raises(InvalidGgufError, match="is not fetched"):
            await house.plan("ada/odd")

    async def test_a_name_that_no_model_may_have_is_said_before_anything_is_asked(self, house: House) -> None:
        """Not by the catalogue when all of the model is here."""
        unfit: list[tuple[str | None, list[str]]] = [("12", []), (" x", []), ("x", ["7"]), (None, ["\x1b"])]
        for name, aliases in unfit:
            with pytest.raises(InvalidSettingError):
                await house.plan("ada/none", name=name, aliases=aliases)
        for aliases in (["a", "A"], ["TINY-q4_k_m"]):
            with pytest.raises(ModelExistsError, match="already"):
                await house.plan(f"{REPO}:Q4_K_M", aliases=aliases)

    async def test_a_file_that_is_called_by_a_number_gets_a_name_that_can_be_stored(
        self, house: House
    ) -> None:
        """A number would be taken for an id."""
        house.hub.add_repository("ada/odd", {"7.gguf": house.file})
        assert (await house.plan("ada/odd")).name == "model-7"

    async def test_an_adapter_is_refused_as_it_is_when_it_is_added(self, house: House) -> None:
        """It names its model's architecture, and says what it is; no engine answers with it alone."""

        def read(start: bytes) -> GgufFacts:
            return replace(read_partial_facts(start), kind="adapter")

        planner = PullPlanner(
            hub=house.hub,
            store=house.store,
            models_dir=house.models,
            read_facts=read,
            memory=PLENTY,
            default_ctx=8192,
        )
        with pytest.raises(InvalidGgufError, match="is an adapter"):
            await planner.plan(read_target(f"{REPO}:Q4_K_M"))

    async def test_a_name_that_is_taken_is_said_before_anything_is_fetched(self, house: House) -> None:
        """A name of the user's own is an error; one of ours gives way to the repository's."""
        house.hub.add_repository("bob/tiny-GGUF", {"tiny-Q4_K_M.gguf": house.file})
        await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        assert (await house.plan("bob/tiny-GGUF")).name == "bob/tiny-GGUF:Q4_K_M"
        with pytest.raises(ModelExistsError, match="--name"):
            await house.plan("bob/tiny-GGUF", name="TINY-q4_k_m")
        with pytest.raises(ModelExistsError, match="--alias"):
            await house.plan("bob/tiny-GGUF", aliases=("tiny-Q4_K_M",))

    async def test_a_missing_repository_is_the_hubs_error(self, house: House) -> None:
        """What the hub does not have is told in its adapter's words."""
        with pytest.raises(RepositoryNotFoundError):
            await house.plan("ada/none")


class TestPulling:
    async def test_the_model_is_in_the_catalogue_with_all_that_is_known(self, house: House) -> None:
        """Source, hash, alias, and that gglib may delete the file; nothing else is left."""
        model = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        path = house.models / "ada/tiny-GGUF/tiny-Q4_K_M.gguf"
        assert path.read_bytes() == house.file
        assert (model.paths, model.is_downloaded, model.architecture) == ((path,), True, "llama")
        assert model.hashes == (model.source.sha256,)
        assert await house.store.resolve_model(f"{REPO}:Q4_K_M") == model
        assert house.files() == ["ada/tiny-GGUF/tiny-Q4_K_M.gguf"]

    async def test_a_projector_is_fetched_and_the_model_can_see(self, house: House) -> None:
        """It is recorded beside the model's files, which are still one model; without it nothing is said of seeing."""
        house.hub.add_repository(
            "ada/eye", {"eye-Q4_K_M.gguf": house.file, "mmproj-F16.gguf": house.other_file}
        )
        plan = await house.plan("ada/eye:Q4_K_M")
        model = await house.puller.pull(plan, ignore)
        assert model.projector == house.models / "ada/eye/mmproj-F16.gguf"
        assert model.projector.read_bytes() == house.other_file
        assert model.capabilities.vision
        assert len(model.paths) == 1
        blind = await house.puller.pull(plan.without_projector(), ignore)
        assert (blind.id, blind.projector, blind.capabilities.vision) == (model.id, None, False)

    async def test_a_users_projector_inside_models_survives_an_update(self, house: House) -> None:
        """A newer version keeps the projector that the user set, wherever it is: no pull brought it."""
        model = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        path = model.paths[0].with_name("mmproj-mine.gguf")
        write_tiny_projector(path)
        await set_projector(model, path, house.store, read_model)
        updated = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        assert (updated.id, updated.projector, updated.capabilities.vision) == (model.id, path, True)

    async def test_progress_is_counted_over_all_files(self, house: House) -> None:
        """It never goes back, ends at the total, and says when it enters the model."""
        house.hub.add_repository(
            "ada/eye", {"eye-Q4_K_M.gguf": house.file, "mmproj-F16.gguf": house.other_file}
        )
        told: list[PullProgress] = []
        await house.puller.pull(await house.plan("ada/eye:Q4_K_M"), told.append)
        done = [progress.done_bytes for progress in told]
        assert done == sorted(done)
        assert done[-1] == len(house.file) + len(house.other_file)
        assert told[-1].phase == "adding"
        assert {progress.file for progress in told} == {"eye-Q4_K_M.gguf", "mmproj-F16.gguf"}

    async def test_pulled_again_nothing_is_fetched(self, house: House) -> None:
        """The same model, with what the user set for it, and not a byte from the network."""
        model = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        await house.store.change_model(model.name, settings=ModelSettings(context=512))
        fetches = len(house.hub.fetches)
        again = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        assert (again.id, again.settings.context) == (model.id, 512)
        assert len(house.hub.fetches) == fetches

    async def test_a_newer_version_takes_the_place_of_the_older_one(self, house: House) -> None:
        """Same name, same id, new content and new hash."""
        old = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        house.hub.add_repository(REPO, {"tiny-Q4_K_M.gguf": house.other_file})
        plan = await house.plan(f"{REPO}:Q4_K_M")
        assert plan.known == old
        new = await house.puller.pull(plan, ignore)
        assert (new.id, new.name) == (old.id, old.name)
        assert new.hashes != old.hashes
        assert new.paths[0].read_bytes() == house.other_file

    async def test_a_newer_version_keeps_what_the_user_set(self, house: House) -> None:
        """What a model is served as, and a projector of the user's own, stay when its files are replaced."""
        old = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        eyes = write_tiny_projector(house.models.parent / "eyes.gguf")
        seeing = await set_projector(old, eyes, house.store, read_model)
        assert (seeing.projector, seeing.capabilities.vision) == (eyes, True)
        await house.store.change_model(old.name, settings=ModelSettings(kind="rerank"))
        house.hub.add_repository(REPO, {"tiny-Q4_K_M.gguf": house.other_file})
        new = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        assert (new.id, new.settings.kind, new.projector) == (old.id, "rerank", eyes)
        assert (new.hashes != old.hashes, new.capabilities.names()) == (True, ("rerank",))
        back = await house.store.change_model(new.name, settings=ModelSettings())
        assert back is not None
        assert back.capabilities.vision

    async def test_a_file_that_no_engine_loads_is_deleted(self, house: House) -> None:
        """Its beginning is right and its rest is missing: told in one sentence, and nothing of it stays."""
        house.hub.add_repository("ada/short", {"short-Q4_K_M.gguf": house.file[:-1000]})
        with pytest.raises(InvalidGgufError, match="It was deleted"):
            await house.puller.pull(await house.plan("ada/short"), ignore)
        assert house.files() == []
        assert await house.store.list_models() == []

    async def test_what_a_model_has_is_not_deleted_with_a_file_that_no_engine_loads(
        self, house: House
    ) -> None:
        """The projector beside it belongs to the quantization that was pulled before."""
        files = {
            "eye-Q4_K_M.gguf": house.file,
            "eye-Q8_0.gguf": house.file[:-1000],
            "mmproj-F16.gguf": b"eye",
        }
        house.hub.add_repository("ada/eye", files)
        model = await house.puller.pull(await house.plan("ada/eye:Q4_K_M"), ignore)
        with pytest.raises(InvalidGgufError, match="It was deleted"):
            await house.puller.pull(await house.plan("ada/eye:Q8_0"), ignore)
        assert model.projector is not None
        assert model.projector.read_bytes() == b"eye"
        assert house.files() == ["ada/eye/eye-Q4_K_M.gguf", "ada/eye/mmproj-F16.gguf"]

    async def test_an_update_that_no_engine_loads_leaves_no_row_without_its_file(self, house: House) -> None:
        """The publisher's new file is broken: it is told, and the model's file is not taken away."""
        model = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        house.hub.add_repository(REPO, {"tiny-Q4_K_M.gguf": house.file[:-1000]})
        with pytest.raises(InvalidGgufError, match="It stays, for 'tiny-Q4_K_M' has it"):
            await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        assert model.paths[0].exists()

    async def test_a_whole_file_that_cannot_be_read_just_now_is_kept(self, house: House) -> None:
        """Too many open files, a disk that hiccups: it was verified, and the next start enters it."""

        def read(path: Path) -> ModelFiles:
            raise UnreadableFileError("cannot be read: Too many open files")

        plan = await house.plan(f"{REPO}:Q4_K_M")
        with pytest.raises(StorageError, match="Too many open files"):
            await replace(house.puller, read_model=read).pull(plan, ignore)
        assert plan.files[0].target.read_bytes() == house.file
        assert [m.name for m in await finish_interrupted(house.store, house.journal, read_model)] == [
            plan.name
        ]

    async def test_a_disk_without_room_is_told_before_the_first_byte(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of what is needed for all files together, and what is free."""
        monkeypatch.setattr(pull_model, "SPARE_BYTES", 1 << 60)
        with pytest.raises(DiskFullError, match="free"):
            await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        assert house.hub.fetches == []
        assert house.files() == []

    async def test_a_place_that_cannot_be_written_is_one_sentence(self, house: House) -> None:
        """A file stands where the directory would be."""
        (house.models / "ada").write_text("in the way")
        with pytest.raises(StorageError, match="cannot be written"):
            await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        assert house.files() == ["ada"]


class TestWhatIsNotOurs:
    async def test_a_file_of_the_users_own_is_never_replaced(self, house: House) -> None:
        """Added by the user, it stands where a pull would go: the plan is refused, and the file stays as it is."""
        own = house.models / "ada/tiny-GGUF/tiny-Q4_K_M.gguf"
        own.parent.mkdir(parents=True)
        own.write_bytes(house.other_file)
        await add_model(AddRequest(path=own, name="mine"), house.store, read_model)
        with pytest.raises(ModelExistsError, match="yours"):
            await house.plan(f"{REPO}:Q4_K_M")
        assert own.read_bytes() == house.other_file

    async def test_a_stranger_in_its_place_is_not_overwritten(self, house: House) -> None:
        """Nobody knows what it is; the very file that would come is another matter."""
        own = house.models / "ada/tiny-GGUF/tiny-Q4_K_M.gguf"
        own.parent.mkdir(parents=True)
        own.write_bytes(house.other_file)
        plan = await house.plan(f"{REPO}:Q4_K_M")
        with pytest.raises(StorageError, match="gglib did not bring it"):
            await house.puller.pull(plan, ignore)
        assert own.read_bytes() == house.other_file
        assert house.journal.jobs() == []
        own.write_bytes(house.file)
        assert (await house.puller.pull(plan, ignore)).paths == (own,)

    async def test_what_is_called_a_shard_and_is_none_leaves_nothing(self, house: House) -> None:
        """Two files whose names say that they are one model, and whose headers do not."""
        names = [f"odd-Q4_K_M-0000{number}-of-00002.gguf" for number in (1, 2)]
        house.hub.add_repository("ada/odd", dict.fromkeys(names, house.file))
        with pytest.raises(InvalidGgufError, match="do not say so"):
            await house.puller.pull(await house.plan("ada/odd"), ignore)
        assert house.files() == []


class TestNamesOfWhatIsHere:
    async def test_another_alias_is_added_to_a_model_that_is_here(self, house: House) -> None:
        """The names that it has stay."""
        model = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        plan = await house.plan(f"{REPO}:Q4_K_M", aliases=("coder",))
        again = await house.puller.pull(plan, ignore)
        assert (again.name, again.aliases) == (model.name, (*model.aliases, "coder"))

    async def test_another_name_is_refused(self, house: House) -> None:
        """It would be ignored: the sentence says what it is called, and how to add a name."""
        await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        with pytest.raises(ModelExistsError, match="--alias"):
            await house.plan(f"{REPO}:Q4_K_M", name="coder")
        assert (await house.plan(f"{REPO}:Q4_K_M", name="TINY-q4_k_m")).name == "tiny-Q4_K_M"


class TestGivingUp:
    async def test_a_discarded_pull_leaves_nothing(self, house: House) -> None:
        """Its part, its note and its place in the list are gone, and it says what that freed."""
        house.hub.cuts["tiny-Q4_K_M.gguf"] = 100_000
        with pytest.raises(HubUnreachableError):
            await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        [job] = house.journal.jobs()
        assert await discard_interrupted(job, house.store, house.journal) > 90_000
        assert list(house.models.iterdir()) == []

    async def test_an_update_that_is_discarded_leaves_the_older_version(self, house: House) -> None:
        """The model's own file is not what came of it."""
        old = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        house.hub.add_repository(REPO, {"tiny-Q4_K_M.gguf": house.other_file})
        house.hub.cuts["tiny-Q4_K_M.gguf"] = 100_000
        with pytest.raises(HubUnreachableError):
            await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        [job] = house.journal.jobs()
        await discard_interrupted(job, house.store, house.journal)
        assert house.files() == ["ada/tiny-GGUF/tiny-Q4_K_M.gguf"]
        assert old.paths[0].read_bytes() == house.file

    async def test_nobody_finishes_or_discards_a_pull_that_is_under_way(self, house: House) -> None:
        """Whoever holds it is the only one at it; a second pull of the same says so."""
        plan = await house.plan(f"{REPO}:Q4_K_M")
        job = pull_model._job_of(plan)
        house.journal.begin(job)
        plan.files[0].target.parent.mkdir(parents=True)
        plan.files[0].target.write_bytes(house.file)
        with house.journal.held(job):
            assert await finish_interrupted(house.store, house.journal, read_model) == []
            with pytest.raises(BeingFetchedError):
                await discard_interrupted(job, house.store, house.journal)
            with pytest.raises(BeingFetchedError):
                await house.puller.pull(plan, ignore)
        assert len(await finish_interrupted(house.store, house.journal, read_model)) == 1
        assert house.files() == ["ada/tiny-GGUF/tiny-Q4_K_M.gguf"]


class TestInterrupted:
    async def test_a_cut_pull_goes_on_where_it_ended(self, house: House) -> None:
        """It is listed as unfinished, and its second half is all that is fetched then."""
        house.hub.cuts["tiny-Q4_K_M.gguf"] = 100_000
        plan = await house.plan(f"{REPO}:Q4_K_M")
        with pytest.raises(HubUnreachableError):
            await house.puller.pull(plan, ignore)
        assert [job.asked for job in house.journal.jobs()] == [f"{REPO}:Q4_K_M"]
        assert await finish_interrupted(house.store, house.journal, read_model) == []
        house.hub.cuts.clear()
        await house.puller.pull(plan, ignore)
        assert house.hub.fetches[-1].start_bytes >= 99_000
        assert house.journal.jobs() == []

    async def test_cancelled_it_keeps_what_came(self, house: House) -> None:
        """Ctrl-C in the middle leaves a part and no row."""
        house.hub.holds["tiny-Q4_K_M.gguf"] = asyncio.Event()
        reached = asyncio.Event()
        plan = await house.plan(f"{REPO}:Q4_K_M")
        pull = asyncio.ensure_future(house.puller.pull(plan, lambda _: reached.set()))
        await reached.wait()
        pull.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pull
        assert await house.store.list_models() == []
        assert len(house.journal.jobs()) == 1

    async def test_killed_before_its_row_it_is_finished_at_the_next_start(self, house: House) -> None:
        """All files have their names, nobody lives to enter them: the next start does, once."""
        plan = await house.plan(f"{REPO}:Q4_K_M")
        broken = replace(house.puller, store=DyingCatalog())
        with pytest.raises(RuntimeError):
            await broken.pull(plan, ignore)
        assert await house.store.list_models() == []
        finished = await finish_interrupted(house.store, house.journal, read_model)
        assert [model.name for model in finished] == ["tiny-Q4_K_M"]
        assert finished[0].hashes == (plan.files[0].remote.sha256,)
        assert await finish_interrupted(house.store, house.journal, read_model) == []
        assert await house.store.list_models() == finished

    async def test_killed_after_its_row_only_the_note_is_left_to_clear(self, house: House) -> None:
        """The model is not entered twice."""
        plan = await house.plan(f"{REPO}:Q4_K_M")
        model = await house.puller.pull(plan, ignore)
        house.journal.begin(pull_model._job_of(plan))
        assert [one.id for one in await finish_interrupted(house.store, house.journal, read_model)] == [
            model.id
        ]
        assert len(await house.store.list_models()) == 1
        assert house.journal.jobs() == []

    async def test_an_older_file_in_its_place_is_not_taken_for_the_new_one(self, house: House) -> None:
        """An update was killed before its first byte: what is there has the size, but not the hash."""
        old = await house.puller.pull(await house.plan(f"{REPO}:Q4_K_M"), ignore)
        house.hub.add_repository(REPO, {"tiny-Q4_K_M.gguf": house.other_file})
        house.journal.begin(pull_model._job_of(await house.plan(f"{REPO}:Q4_K_M")))
        assert len(house.file) == len(house.other_file)
        assert await finish_interrupted(house.store, house.journal, read_model) == []
        assert await house.store.list_models() == [old]
