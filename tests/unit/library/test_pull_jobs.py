"""Pulls that did not end: what is recorded, what the next start finishes, what giving up deletes and leaves."""

import asyncio
import threading
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import BeingFetchedError, DownloadCorruptError, HubUnreachableError
from gglib.core.models import NewModel
from gglib.core.versions import EnteredVersion, NewVersion, PullJob
from gglib.library.pull import enter
from gglib.library.pull.enter import finish_interrupted
from gglib.library.pull.execute import PullProgress
from gglib.library.pull.jobs import (
    begin,
    give_up,
    lock_of,
    sweep,
)
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.publishing import publish
from gglib.testing import FakeCatalog

from .pull_house import REPO, URL, House, ignore, soon

VISION = "ada/eye"


class DyingCatalog(FakeCatalog):
    """The process dies when the row is written, as long as ``is_dying``."""

    is_dying = True

    async def enter_version(
        self,
        version: NewVersion,
        model: NewModel,
        *,
        updates: int | None = None,
        job_key: str | None = None,
        moved_aliases: Collection[tuple[int, str]] = (),
    ) -> EnteredVersion:
        """Die."""
        if self.is_dying:
            raise RuntimeError("killed")
        return await super().enter_version(
            version, model, updates=updates, job_key=job_key, moved_aliases=moved_aliases
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Return a house without any model."""
    return House(tmp_path)


async def cut(house: House, target: str = f"{REPO}:Q4_K_M", *, name: str = "tiny-Q4_K_M.gguf") -> None:
    """Pull, and lose the network after 100,000 bytes of a file."""
    house.hub.cuts[name] = 100_000
    with pytest.raises(HubUnreachableError):
        await house.pull(target)


class TestInterrupted:
    async def test_a_cut_pull_goes_on_where_it_ended(self, house: House) -> None:
        """It is listed as unfinished, and its second half is all that is fetched then."""
        await cut(house)
        assert [job.asked for job in await house.store.list_pulls()] == [f"{REPO}:Q4_K_M"]
        assert await finish_interrupted(house.site) == []
        assert (await house.plan()).needs_bytes <= len(house.file) - 98_000
        await house.pull()
        assert house.hub.fetches[-1].start_bytes == 100_000
        assert await house.store.list_pulls() == []

    async def test_cancelled_it_keeps_what_came(self, house: House) -> None:
        """Ctrl-C in the middle leaves a part and no row."""
        house.hub.holds["tiny-Q4_K_M.gguf"] = asyncio.Event()
        reached = asyncio.Event()
        pull = asyncio.ensure_future(house.puller.pull(await house.plan(), lambda _: reached.set()))
        await soon(reached)
        pull.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pull
        assert await house.store.list_models() == []
        assert len(await house.store.list_pulls()) == 1

    async def test_cancelled_while_it_is_published_it_keeps_its_lock_until_that_has_ended(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A second pull of the same would else clear the draft that is being filled."""
        started, gate = threading.Event(), threading.Event()

        def slow(job: PullJob, incoming: Incoming, models_dir: Path) -> NewVersion:
            started.set()
            assert gate.wait(20)
            return publish(job, incoming, models_dir)

        monkeypatch.setattr(enter, "publish", slow)
        pull = asyncio.ensure_future(house.puller.pull(await house.plan(), ignore))
        assert await asyncio.to_thread(started.wait, 20)
        pull.cancel()
        await asyncio.sleep(0)
        assert house.site.locks.are_held("pull-")
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await pull
        assert not house.site.locks.are_held("pull-")
        [model] = await finish_interrupted(house.site)
        assert model.paths[0].read_bytes() == house.file

    async def test_an_older_part_goes_when_a_newer_version_is_pulled(self, house: House) -> None:
        """Upstream changed meanwhile: what came of the older version is of no use to any pull."""
        await cut(house)
        assert len(house.incoming()) == 1
        house.changes("tiny-Q4_K_M.gguf", house.other_file)
        await cut(house)
        assert [name.partition(".")[0] for name in house.incoming()] == [
            file.key for file in (await house.plan()).files
        ]

    @pytest.mark.parametrize("is_published", [False, True])
    async def test_killed_before_its_row_it_is_finished_at_the_next_start(
        self, tmp_path: Path, *, is_published: bool
    ) -> None:
        """All files came, nobody lives to enter them: the next start does, once; also where the directory is there."""
        store = DyingCatalog()
        house = House(tmp_path, store)
        if not is_published:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(enter, "publish", _die)
                with pytest.raises(RuntimeError):
                    await house.pull()
        else:
            with pytest.raises(RuntimeError):
                await house.pull()
        assert await store.list_models() == []
        store.is_dying = False
        [model] = await finish_interrupted(house.site)
        assert (model.name, model.aliases) == ("tiny-Q4_K_M", (f"{REPO}:Q4_K_M",))
        assert model.paths[0].read_bytes() == house.file
        assert await finish_interrupted(house.site) == []
        assert await store.list_models() == [model]
        assert (house.incoming(), house.files()) == ([], ["ada/tiny-GGUF/Q4_K_M/tiny-Q4_K_M.gguf"])

    async def test_killed_before_the_row_of_an_update_moves_the_next_start_moves_it(
        self, tmp_path: Path
    ) -> None:
        """The older version is whole until then, and has its row."""
        store = DyingCatalog()
        store.is_dying = False
        house = House(tmp_path, store)
        old = (await house.pull()).model
        house.changes("tiny-Q4_K_M.gguf", house.other_file)
        store.is_dying = True
        with pytest.raises(RuntimeError):
            await house.pull()
        assert await store.list_models() == [old]
        assert old.paths[0].read_bytes() == house.file
        store.is_dying = False
        [new] = await finish_interrupted(house.site)
        assert (new.id, new.paths[0].read_bytes()) == (old.id, house.other_file)

    async def test_killed_before_its_row_moves_an_alias_is_still_the_other_models(
        self, tmp_path: Path
    ) -> None:
        """``owner/name:QUANT`` moves in the transaction of the row: at no moment does it mean nothing."""
        store = DyingCatalog()
        store.is_dying = False
        house = House(tmp_path, store)
        first = (await house.pull()).model
        both = {"tiny-Q4_K_M.gguf": house.file, "other-Q4_K_M.gguf": house.other_file}
        house.hub.add_repository(REPO, both)
        second = (await house.pull(f"{REPO}/other-Q4_K_M.gguf")).model
        house.changes("other-Q4_K_M.gguf", house.other_file)
        store.is_dying = True
        with pytest.raises(RuntimeError):
            await house.pull()
        assert await store.list_models() == [first, second]
        assert await store.resolve_model(f"{REPO}:Q4_K_M") == first
        store.is_dying = False
        await house.pull()
        now = await store.resolve_model(f"{REPO}:Q4_K_M")
        assert now is not None
        assert now.id == second.id

    async def test_killed_after_its_row_only_what_came_is_left_to_clear(self, house: House) -> None:
        """The job is gone with the row; its incoming file is swept, and the model is not entered twice."""
        model = (await house.pull()).model
        key = (await house.plan()).files[0].key
        house.site.incoming.path(key).write_bytes(house.file)
        assert await finish_interrupted(house.site) == []
        await sweep(house.site)
        assert (house.incoming(), await house.store.list_models()) == ([], [model])

    async def test_what_came_and_is_gone_is_fetched_again(self, tmp_path: Path) -> None:
        """Somebody emptied ``.incoming`` after the last byte: the pull is unfinished, and goes on."""
        store = DyingCatalog()
        house = House(tmp_path, store)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(enter, "publish", _die)
            with pytest.raises(RuntimeError):
                await house.pull()
        store.is_dying = False
        for name in house.incoming():
            (house.site.incoming.directory / name).unlink()
        assert await finish_interrupted(house.site) == []
        [job] = await store.list_pulls()
        assert not job.is_fetched
        assert (await house.pull()).model.paths[0].read_bytes() == house.file

    async def test_where_there_are_no_links_a_killed_pull_keeps_what_came(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The draft of its version has the files themselves: they are put back, and nothing is fetched again."""
        monkeypatch.setattr("gglib.library.versions.sharing._link", lambda *_: False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gglib.library.versions.publishing._rename", _die)
            patch.setattr("gglib.library.versions.publishing.clear_draft", lambda _: True)
            with pytest.raises(RuntimeError):
                await house.pull()
        fetches = len(house.hub.fetches)
        assert (await house.pull()).model.paths[0].read_bytes() == house.file
        assert len(house.hub.fetches) == fetches
        assert house.incoming() == []

    async def test_what_no_engine_loads_is_given_up_at_the_next_start(self, house: House) -> None:
        """Killed after the last byte of a truncated file: it is said in the log, and nothing of it stays."""
        house.changes("tiny-Q4_K_M.gguf", house.file[:-1000])
        plan = await house.plan()
        house.site.incoming.prepare()
        house.site.incoming.path(plan.files[0].key).write_bytes(house.file[:-1000])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gglib.library.pull.execute.enter_fetched", _die)
            with pytest.raises(RuntimeError):
                await house.pull()
        assert len(await house.store.list_pulls()) == 1
        assert await finish_interrupted(house.site) == []
        assert (house.incoming(), await house.store.list_pulls()) == ([], [])


class TestGivingUp:
    async def test_a_discarded_pull_leaves_nothing(self, house: House) -> None:
        """Its part, its record and its place in the list are gone, and it says what that freed."""
        await cut(house)
        [job] = await house.store.list_pulls()
        assert await give_up(house.site, job) > 90_000
        assert (house.incoming(), await house.store.list_pulls(), house.files()) == ([], [], [])

    async def test_an_update_that_is_discarded_leaves_the_older_version(self, house: House) -> None:
        """The model's own file is not what came of it."""
        old = (await house.pull()).model
        house.changes("tiny-Q4_K_M.gguf", house.other_file)
        await cut(house)
        [job] = await house.store.list_pulls()
        await give_up(house.site, job)
        assert house.files() == ["ada/tiny-GGUF/Q4_K_M/tiny-Q4_K_M.gguf"]
        assert old.paths[0].read_bytes() == house.file

    async def test_a_pull_that_is_under_way_is_neither_finished_nor_discarded(self, house: House) -> None:
        """The lock says so, whatever the record says."""
        await cut(house)
        [job] = await house.store.list_pulls()
        with house.site.locks.try_hold(lock_of(job.key)):
            with pytest.raises(BeingFetchedError, match="the pull of 'tiny-Q4_K_M'"):
                await give_up(house.site, job)
            await house.store.begin_pull(replace(job, is_fetched=True))
            assert await finish_interrupted(house.site) == []
        assert len(await house.store.list_pulls()) == 1
        assert house.incoming() != []

    async def test_a_projector_that_another_pull_waits_for_stays(self, house: House) -> None:
        """Both quantizations were cut after the projector's first bytes: giving one up takes nothing from the other."""
        files = {
            "eye-Q4_K_M.gguf": house.file,
            "eye-Q8_0.gguf": house.other_file,
            "mmproj-F16.gguf": house.eye,
        }
        house.hub.add_repository(VISION, files)
        for quantization in ("Q4_K_M", "Q8_0"):
            house.hub.cuts["mmproj-F16.gguf"] = 1024
            with pytest.raises(HubUnreachableError):
                await house.pull(f"{VISION}:{quantization}")
        first, second = await house.store.list_pulls()
        shared = (await house.plan(f"{VISION}:Q8_0")).all_files[-1].key
        await give_up(house.site, first)
        assert any(name.startswith(shared) for name in house.incoming())
        await give_up(house.site, second)
        assert house.incoming() == []

    async def test_discarding_one_leaves_the_fetch_of_another_alone(self, house: House) -> None:
        """The other one fetches the projector at that very moment, and ends as if nothing had been."""
        files = {
            "eye-Q4_K_M.gguf": house.file,
            "eye-Q8_0.gguf": house.other_file,
            "mmproj-F16.gguf": house.eye,
        }
        house.hub.add_repository(VISION, files)
        house.hub.cuts["mmproj-F16.gguf"] = 1024
        with pytest.raises(HubUnreachableError):
            await house.pull(f"{VISION}:Q4_K_M")
        [given_up] = await house.store.list_pulls()
        gate, reached = asyncio.Event(), asyncio.Event()
        house.hub.holds["mmproj-F16.gguf"] = gate

        def tell(progress: PullProgress) -> None:
            if progress.file == "mmproj-F16.gguf" and progress.phase == "downloading":
                reached.set()

        other = asyncio.ensure_future(house.puller.pull(await house.plan(f"{VISION}:Q8_0"), tell))
        await soon(reached)
        await give_up(house.site, given_up)
        gate.set()
        model = (await other).model
        assert model.projector is not None
        assert model.projector.read_bytes() == house.eye

    async def test_a_version_that_has_no_row_goes_with_its_pull(self, house: House) -> None:
        """Killed between the directory's name and the row, and then given up."""
        plan = await house.plan()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(enter, "enter", _die)
            with pytest.raises(RuntimeError):
                await house.puller.pull(plan, ignore)
        assert house.files() != []
        [job] = await house.store.list_pulls()
        assert await give_up(house.site, job) >= len(house.file)
        assert (house.files(), house.incoming(), await house.store.list_versions()) == ([], [], [])


class TestSweeping:
    async def test_what_no_pull_waits_for_is_swept_and_the_rest_stays(self, house: House) -> None:
        """Parts of a pull that the catalogue forgot, and a draft; not those of one that is recorded."""
        await cut(house, f"{REPO}:Q8_0", name="tiny-Q8_0.gguf")
        kept = house.incoming()
        await cut(house)
        [job] = [job for job in await house.store.list_pulls() if job.asked.endswith("Q4_K_M")]
        await house.store.end_pull(job.key)
        mine = house.site.incoming.directory / "mine.txt"
        mine.write_text("mine")
        await sweep(house.site)
        assert house.incoming() == sorted([*kept, "mine.txt"])

    async def test_a_draft_of_a_killed_pull_is_swept(self, house: House) -> None:
        """It was being filled when its process died, and its pull was given up."""
        plan = await house.plan()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gglib.library.versions.publishing._rename", _die)
            patch.setattr("gglib.library.versions.publishing.clear_draft", lambda _: True)
            with pytest.raises(RuntimeError):
                await house.puller.pull(plan, ignore)
        [job] = await house.store.list_pulls()
        assert any(name.endswith(".version") for name in house.incoming())
        await give_up(house.site, job)
        assert house.incoming() == []

    async def test_an_emptied_lock_of_a_killed_pull_is_no_reason_to_look_again(self, house: House) -> None:
        """Swept with the rest; while a pull runs its lock is left."""
        locks = house.site.locks
        with locks.try_hold(lock_of("0" * 16)):
            await sweep(house.site)
            assert locks.has_any("pull-")
        (house.home / "locks" / f"{lock_of('0' * 16)}.lock").touch()
        assert locks.has_any("pull-")
        await sweep(house.site)
        assert not locks.has_any("pull-")

    async def test_a_corrupt_download_leaves_no_record(self, house: House) -> None:
        """It came twice and was wrong: nothing of it is here, and nothing is unfinished."""
        house.hub.wrong.add("tiny-Q4_K_M.gguf")
        with pytest.raises(DownloadCorruptError):
            await house.pull()
        assert (house.incoming(), await house.store.list_pulls()) == ([], [])

    async def test_two_records_of_one_pull_are_one(self, house: House) -> None:
        """A job that is recorded again takes the place of the older record."""
        await cut(house)
        [job] = await house.store.list_pulls()
        await begin(house.site, replace(job, name="other"))
        assert [one.name for one in await house.store.list_pulls()] == ["other"]
        assert len(house.incoming()) == 1

    async def test_an_address_that_is_unfinished_keeps_its_query(self, house: House) -> None:
        """It is needed to go on; who shows it leaves it out."""
        house.hub.add_address(f"{URL}?Signature=hush", house.file)
        await cut(house, f"{URL}?Signature=hush", name="found.gguf")
        assert [job.asked for job in await house.store.list_pulls()] == [f"{URL}?Signature=hush"]


def _die(*_arguments: object, **_named: object) -> None:
    raise RuntimeError("killed")
