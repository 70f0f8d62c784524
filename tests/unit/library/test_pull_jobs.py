"""Unfinished pulls: their records, what the next start finishes, and what discarding deletes."""

import asyncio
import threading
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import DownloadCorruptError, DownloadInProgressError, HubUnreachableError
from gglib.core.models import NewModel
from gglib.core.versions import InstalledVersion, NewVersion, PullJob
from gglib.library.pull import install
from gglib.library.pull.execute import PullProgress
from gglib.library.pull.install import finish_interrupted
from gglib.library.pull.jobs import (
    begin,
    give_up,
    lock_of,
    sweep,
)
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.publishing import publish
from gglib.testing import FakeCatalog

from .pull_harness import REPO, URL, PullHarness, ignore, soon

VISION = "ada/eye"


class DyingCatalog(FakeCatalog):
    """The process dies when the row is written, while ``is_dying`` is set."""

    is_dying = True

    async def install_version(
        self,
        version: NewVersion,
        model: NewModel,
        *,
        updates: int | None = None,
        job_key: str | None = None,
        moved_aliases: Collection[tuple[int, str]] = (),
    ) -> InstalledVersion:
        """Die."""
        if self.is_dying:
            raise RuntimeError("killed")
        return await super().install_version(
            version, model, updates=updates, job_key=job_key, moved_aliases=moved_aliases
        )


@pytest.fixture
def harness(tmp_path: Path) -> PullHarness:
    """Return a harness without any model."""
    return PullHarness(tmp_path)


async def cut(
    harness: PullHarness, target: str = f"{REPO}:Q4_K_M", *, name: str = "tiny-Q4_K_M.gguf"
) -> None:
    """Pull, and lose the network after 100,000 bytes of a file."""
    harness.hub.cuts[name] = 100_000
    with pytest.raises(HubUnreachableError):
        await harness.pull(target)


class TestInterrupted:
    async def test_interrupted_pull_resumes(self, harness: PullHarness) -> None:
        """It is listed as unfinished, and only its second half is fetched then."""
        await cut(harness)
        assert [job.asked for job in await harness.store.list_pulls()] == [f"{REPO}:Q4_K_M"]
        assert await finish_interrupted(harness.site) == []
        assert (await harness.plan()).needs_bytes <= len(harness.file) - 98_000
        await harness.pull()
        assert harness.hub.fetches[-1].start_bytes == 100_000
        assert await harness.store.list_pulls() == []

    async def test_cancelled_pull_keeps_its_part(self, harness: PullHarness) -> None:
        """Ctrl-C in the middle leaves a part and no row."""
        harness.hub.pauses["tiny-Q4_K_M.gguf"] = asyncio.Event()
        reached = asyncio.Event()
        pull = asyncio.ensure_future(harness.puller.pull(await harness.plan(), lambda _: reached.set()))
        await soon(reached)
        pull.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pull
        assert await harness.store.list_models() == []
        assert len(await harness.store.list_pulls()) == 1

    async def test_pull_cancelled_while_publishing_keeps_its_lock_until_the_end(
        self, harness: PullHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A second pull of the same model would otherwise clear the draft that is being filled."""
        started, gate = threading.Event(), threading.Event()

        def slow(job: PullJob, incoming: Incoming, models_dir: Path) -> NewVersion:
            started.set()
            assert gate.wait(20)
            return publish(job, incoming, models_dir)

        monkeypatch.setattr(install, "publish", slow)
        pull = asyncio.ensure_future(harness.puller.pull(await harness.plan(), ignore))
        assert await asyncio.to_thread(started.wait, 20)
        pull.cancel()
        await asyncio.sleep(0)
        assert harness.site.locks.are_held("pull-")
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await pull
        assert not harness.site.locks.are_held("pull-")
        [model] = await finish_interrupted(harness.site)
        assert model.paths[0].read_bytes() == harness.file

    async def test_older_part_is_deleted_when_a_newer_version_is_pulled(self, harness: PullHarness) -> None:
        """Upstream changed meanwhile: no pull needs the part of the older version."""
        await cut(harness)
        assert len(harness.incoming()) == 1
        harness.changes("tiny-Q4_K_M.gguf", harness.other_file)
        await cut(harness)
        assert [name.partition(".")[0] for name in harness.incoming()] == [
            file.key for file in (await harness.plan()).files
        ]

    @pytest.mark.parametrize("is_published", [False, True])
    async def test_pull_killed_before_its_row_is_finished_at_the_next_start(
        self, tmp_path: Path, *, is_published: bool
    ) -> None:
        """All files arrived, but no row: the next start writes it, once; also if the directory exists."""
        store = DyingCatalog()
        harness = PullHarness(tmp_path, store)
        if not is_published:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(install, "publish", _die)
                with pytest.raises(RuntimeError):
                    await harness.pull()
        else:
            with pytest.raises(RuntimeError):
                await harness.pull()
        assert await store.list_models() == []
        store.is_dying = False
        [model] = await finish_interrupted(harness.site)
        assert (model.name, model.aliases) == ("tiny-Q4_K_M", (f"{REPO}:Q4_K_M",))
        assert model.paths[0].read_bytes() == harness.file
        assert await finish_interrupted(harness.site) == []
        assert await store.list_models() == [model]
        assert (harness.incoming(), harness.files()) == ([], ["ada/tiny-GGUF/Q4_K_M/tiny-Q4_K_M.gguf"])

    async def test_update_killed_before_its_row_moved_is_finished_at_the_next_start(
        self, tmp_path: Path
    ) -> None:
        """The older version is whole until then, and has its row."""
        store = DyingCatalog()
        store.is_dying = False
        harness = PullHarness(tmp_path, store)
        old = (await harness.pull()).model
        harness.changes("tiny-Q4_K_M.gguf", harness.other_file)
        store.is_dying = True
        with pytest.raises(RuntimeError):
            await harness.pull()
        assert await store.list_models() == [old]
        assert old.paths[0].read_bytes() == harness.file
        store.is_dying = False
        [new] = await finish_interrupted(harness.site)
        assert (new.id, new.paths[0].read_bytes()) == (old.id, harness.other_file)

    async def test_alias_of_a_killed_update_still_means_the_other_model(self, tmp_path: Path) -> None:
        """``owner/name:QUANT`` moves in the transaction of the row: at no moment does it mean nothing."""
        store = DyingCatalog()
        store.is_dying = False
        harness = PullHarness(tmp_path, store)
        first = (await harness.pull()).model
        both = {"tiny-Q4_K_M.gguf": harness.file, "other-Q4_K_M.gguf": harness.other_file}
        harness.hub.add_repository(REPO, both)
        second = (await harness.pull(f"{REPO}/other-Q4_K_M.gguf")).model
        harness.changes("other-Q4_K_M.gguf", harness.other_file)
        store.is_dying = True
        with pytest.raises(RuntimeError):
            await harness.pull()
        assert await store.list_models() == [first, second]
        assert await store.resolve_model(f"{REPO}:Q4_K_M") == first
        store.is_dying = False
        await harness.pull()
        now = await store.resolve_model(f"{REPO}:Q4_K_M")
        assert now is not None
        assert now.id == second.id

    async def test_pull_killed_after_its_row_leaves_only_incoming_files(self, harness: PullHarness) -> None:
        """The job is gone with the row; its incoming file is swept, and the model is not entered twice."""
        model = (await harness.pull()).model
        key = (await harness.plan()).files[0].key
        harness.site.incoming.path(key).write_bytes(harness.file)
        assert await finish_interrupted(harness.site) == []
        await sweep(harness.site)
        assert (harness.incoming(), await harness.store.list_models()) == ([], [model])

    async def test_deleted_incoming_file_is_fetched_again(self, tmp_path: Path) -> None:
        """``.incoming`` was emptied after the last byte: the pull is unfinished, and resumes."""
        store = DyingCatalog()
        harness = PullHarness(tmp_path, store)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(install, "publish", _die)
            with pytest.raises(RuntimeError):
                await harness.pull()
        store.is_dying = False
        for name in harness.incoming():
            (harness.site.incoming.directory / name).unlink()
        assert await finish_interrupted(harness.site) == []
        [job] = await store.list_pulls()
        assert not job.is_fetched
        assert (await harness.pull()).model.paths[0].read_bytes() == harness.file

    async def test_without_links_a_killed_pull_keeps_its_files(
        self, harness: PullHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The draft of its version has the files themselves: they are put back, and nothing is fetched again."""
        monkeypatch.setattr("gglib.library.versions.sharing._link", lambda *_: False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gglib.library.versions.publishing._rename", _die)
            patch.setattr("gglib.library.versions.publishing.clear_draft", lambda _: True)
            with pytest.raises(RuntimeError):
                await harness.pull()
        fetches = len(harness.hub.fetches)
        assert (await harness.pull()).model.paths[0].read_bytes() == harness.file
        assert len(harness.hub.fetches) == fetches
        assert harness.incoming() == []

    async def test_unloadable_file_is_discarded_at_the_next_start(self, harness: PullHarness) -> None:
        """Killed after the last byte of a truncated file: the log says so, and nothing is left."""
        harness.changes("tiny-Q4_K_M.gguf", harness.file[:-1000])
        plan = await harness.plan()
        harness.site.incoming.prepare()
        harness.site.incoming.path(plan.files[0].key).write_bytes(harness.file[:-1000])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gglib.library.pull.execute.install_fetched", _die)
            with pytest.raises(RuntimeError):
                await harness.pull()
        assert len(await harness.store.list_pulls()) == 1
        assert await finish_interrupted(harness.site) == []
        assert (harness.incoming(), await harness.store.list_pulls()) == ([], [])


class TestGivingUp:
    async def test_discarded_pull_leaves_nothing(self, harness: PullHarness) -> None:
        """Its part, its record and its place in the list are gone, and the freed bytes are reported."""
        await cut(harness)
        [job] = await harness.store.list_pulls()
        assert await give_up(harness.site, job) > 90_000
        assert (harness.incoming(), await harness.store.list_pulls(), harness.files()) == ([], [], [])

    async def test_discarded_update_leaves_the_older_version(self, harness: PullHarness) -> None:
        """The model's own file is not part of the update."""
        old = (await harness.pull()).model
        harness.changes("tiny-Q4_K_M.gguf", harness.other_file)
        await cut(harness)
        [job] = await harness.store.list_pulls()
        await give_up(harness.site, job)
        assert harness.files() == ["ada/tiny-GGUF/Q4_K_M/tiny-Q4_K_M.gguf"]
        assert old.paths[0].read_bytes() == harness.file

    async def test_running_pull_is_neither_finished_nor_discarded(self, harness: PullHarness) -> None:
        """The lock decides, whatever the record says."""
        await cut(harness)
        [job] = await harness.store.list_pulls()
        with harness.site.locks.try_hold(lock_of(job.key)):
            with pytest.raises(DownloadInProgressError, match="the pull of 'tiny-Q4_K_M'"):
                await give_up(harness.site, job)
            await harness.store.begin_pull(replace(job, is_fetched=True))
            assert await finish_interrupted(harness.site) == []
        assert len(await harness.store.list_pulls()) == 1
        assert harness.incoming() != []

    async def test_projector_of_another_pull_stays(self, harness: PullHarness) -> None:
        """Both quantizations were interrupted in the projector: discarding one leaves the projector to the other."""
        files = {
            "eye-Q4_K_M.gguf": harness.file,
            "eye-Q8_0.gguf": harness.other_file,
            "mmproj-F16.gguf": harness.eye,
        }
        harness.hub.add_repository(VISION, files)
        for quantization in ("Q4_K_M", "Q8_0"):
            harness.hub.cuts["mmproj-F16.gguf"] = 1024
            with pytest.raises(HubUnreachableError):
                await harness.pull(f"{VISION}:{quantization}")
        first, second = await harness.store.list_pulls()
        shared = (await harness.plan(f"{VISION}:Q8_0")).all_files[-1].key
        await give_up(harness.site, first)
        assert any(name.startswith(shared) for name in harness.incoming())
        await give_up(harness.site, second)
        assert harness.incoming() == []

    async def test_discarding_does_not_affect_a_concurrent_fetch(self, harness: PullHarness) -> None:
        """The other pull fetches the projector at that very moment, and ends normally."""
        files = {
            "eye-Q4_K_M.gguf": harness.file,
            "eye-Q8_0.gguf": harness.other_file,
            "mmproj-F16.gguf": harness.eye,
        }
        harness.hub.add_repository(VISION, files)
        harness.hub.cuts["mmproj-F16.gguf"] = 1024
        with pytest.raises(HubUnreachableError):
            await harness.pull(f"{VISION}:Q4_K_M")
        [given_up] = await harness.store.list_pulls()
        gate, reached = asyncio.Event(), asyncio.Event()
        harness.hub.pauses["mmproj-F16.gguf"] = gate

        def on_progress(progress: PullProgress) -> None:
            if progress.file == "mmproj-F16.gguf" and progress.phase == "downloading":
                reached.set()

        other = asyncio.ensure_future(harness.puller.pull(await harness.plan(f"{VISION}:Q8_0"), on_progress))
        await soon(reached)
        await give_up(harness.site, given_up)
        gate.set()
        model = (await other).model
        assert model.projector is not None
        assert model.projector.read_bytes() == harness.eye

    async def test_version_without_a_row_is_discarded_with_its_pull(self, harness: PullHarness) -> None:
        """Killed between the directory's rename and the row, and then discarded."""
        plan = await harness.plan()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(install, "install", _die)
            with pytest.raises(RuntimeError):
                await harness.puller.pull(plan, ignore)
        assert harness.files() != []
        [job] = await harness.store.list_pulls()
        assert await give_up(harness.site, job) >= len(harness.file)
        assert (harness.files(), harness.incoming(), await harness.store.list_versions()) == ([], [], [])


class TestSweeping:
    async def test_files_of_no_pull_are_swept_and_others_stay(self, harness: PullHarness) -> None:
        """Parts of a pull that is not in the catalogue, and a draft; not those of a recorded pull."""
        await cut(harness, f"{REPO}:Q8_0", name="tiny-Q8_0.gguf")
        kept = harness.incoming()
        await cut(harness)
        [job] = [job for job in await harness.store.list_pulls() if job.asked.endswith("Q4_K_M")]
        await harness.store.end_pull(job.key)
        mine = harness.site.incoming.directory / "mine.txt"
        mine.write_text("mine")
        await sweep(harness.site)
        assert harness.incoming() == sorted([*kept, "mine.txt"])

    async def test_draft_of_a_killed_pull_is_swept(self, harness: PullHarness) -> None:
        """It was being filled when its process died, and its pull was discarded."""
        plan = await harness.plan()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gglib.library.versions.publishing._rename", _die)
            patch.setattr("gglib.library.versions.publishing.clear_draft", lambda _: True)
            with pytest.raises(RuntimeError):
                await harness.puller.pull(plan, ignore)
        [job] = await harness.store.list_pulls()
        assert any(name.endswith(".version") for name in harness.incoming())
        await give_up(harness.site, job)
        assert harness.incoming() == []

    async def test_lock_file_of_a_killed_pull_is_swept(self, harness: PullHarness) -> None:
        """Swept with the rest; while a pull runs its lock is left."""
        locks = harness.site.locks
        with locks.try_hold(lock_of("0" * 16)):
            await sweep(harness.site)
            assert locks.has_any("pull-")
        (harness.home / "locks" / f"{lock_of('0' * 16)}.lock").touch()
        assert locks.has_any("pull-")
        await sweep(harness.site)
        assert not locks.has_any("pull-")

    async def test_corrupt_download_leaves_no_record(self, harness: PullHarness) -> None:
        """It was fetched twice and was wrong: no file is left, and nothing is unfinished."""
        harness.hub.corrupted.add("tiny-Q4_K_M.gguf")
        with pytest.raises(DownloadCorruptError):
            await harness.pull()
        assert (harness.incoming(), await harness.store.list_pulls()) == ([], [])

    async def test_second_record_of_a_pull_replaces_the_first(self, harness: PullHarness) -> None:
        """A job that is recorded again replaces the older record."""
        await cut(harness)
        [job] = await harness.store.list_pulls()
        await begin(harness.site, replace(job, name="other"))
        assert [pull.name for pull in await harness.store.list_pulls()] == ["other"]
        assert len(harness.incoming()) == 1

    async def test_unfinished_url_keeps_its_query(self, harness: PullHarness) -> None:
        """It is needed to resume; output leaves it out."""
        harness.hub.add_address(f"{URL}?Signature=hush", harness.file)
        await cut(harness, f"{URL}?Signature=hush", name="found.gguf")
        assert [job.asked for job in await harness.store.list_pulls()] == [f"{URL}?Signature=hush"]


def _die(*_arguments: object, **_named: object) -> None:
    raise RuntimeError("killed")
