"""Pulls: the files they fetch and install, keep in an update, share, and never change."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.library.pull_harness import REPO, URL, PullHarness, ignore, soon

from gglib.core.errors import (
    DiskFullError,
    HubUnreachableError,
    InvalidGgufError,
    ModelExistsError,
    StorageError,
    UnreadableFileError,
)
from gglib.core.models import ModelEdit, ModelSettings
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.library.add import ModelFiles
from gglib.library.pull import disk_space
from gglib.library.pull.execute import PullProgress
from gglib.library.pull.install import finish_interrupted
from gglib.library.set_projector import set_projector
from gglib.testing import FakeCatalog, write_tiny_projector

SHARDS = ("tiny-Q4_K_M-00001-of-00002.gguf", "tiny-Q4_K_M-00002-of-00002.gguf")


@pytest.fixture(params=["memory", "sqlite"])
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PullHarness]:
    """Yield a harness without any model, on either store."""
    if request.param == "memory":
        yield PullHarness(tmp_path, FakeCatalog())
        return
    (tmp_path / "home").mkdir()
    async with SqliteCatalog(tmp_path / "home" / "gglib.db") as store:
        yield PullHarness(tmp_path, store)


def shards(harness: PullHarness, seed: int = 0) -> dict[str, bytes]:
    """Return a tiny model in two files, as the tools of llama.cpp split one."""
    return dict(zip(SHARDS, _split(harness, seed), strict=True))


class TestPulling:
    async def test_model_is_in_the_catalogue_with_its_facts(self, harness: PullHarness) -> None:
        """Source, hash, alias, and its version, which has its own directory; nothing else is left."""
        pulled = await harness.pull()
        model = pulled.model
        assert (pulled.is_new, pulled.is_updated, pulled.refused_names) == (True, False, ())
        [version] = await harness.store.list_versions()
        assert version.directory is not None
        assert version.directory.parent == harness.models / "ada/tiny-GGUF"
        assert model.paths == (version.directory / "tiny-Q4_K_M.gguf",)
        assert model.paths[0].read_bytes() == harness.file
        assert (model.version_id, model.is_downloaded, model.architecture) == (version.id, True, "llama")
        assert model.hashes == (model.source.sha256,)
        assert await harness.store.resolve_model(f"{REPO}:Q4_K_M") == model
        assert harness.files() == ["ada/tiny-GGUF/Q4_K_M/tiny-Q4_K_M.gguf"]
        assert harness.incoming() == []
        assert await harness.store.list_pulls() == []

    async def test_projector_is_fetched_and_enables_vision(self, harness: PullHarness) -> None:
        """It is a file of the version, whose model is still one file; without it the model has no vision capability."""
        harness.hub.add_repository(
            "ada/eye", {"eye-Q4_K_M.gguf": harness.file, "mmproj-F16.gguf": harness.eye}
        )
        plan = await harness.plan("ada/eye:Q4_K_M")
        model = (await harness.puller.pull(plan, ignore)).model
        assert model.projector is not None
        assert model.projector.read_bytes() == harness.eye
        assert model.projector.parent == model.paths[0].parent
        assert model.capabilities.vision
        assert len(model.paths) == 1
        blind = await harness.puller.pull(plan.without_projector(), ignore)
        assert (blind.model.id, blind.model.projector) == (model.id, None)
        assert (blind.is_updated, blind.model.capabilities.vision) == (True, False)
        assert harness.files() == ["ada/eye/Q4_K_M/eye-Q4_K_M.gguf"]

    async def test_progress_is_counted_over_all_files(self, harness: PullHarness) -> None:
        """The progress never decreases, ends at the total, and reports when the model is added."""
        harness.hub.add_repository(
            "ada/eye", {"eye-Q4_K_M.gguf": harness.file, "mmproj-F16.gguf": harness.eye}
        )
        reports: list[PullProgress] = []
        await harness.puller.pull(await harness.plan("ada/eye:Q4_K_M"), reports.append)
        done = [progress.done_bytes for progress in reports]
        assert done == sorted(done)
        assert done[-1] == len(harness.file) + len(harness.eye)
        assert reports[-1].phase == "adding"
        assert {progress.file for progress in reports} == {"eye-Q4_K_M.gguf", "mmproj-F16.gguf"}

    async def test_second_pull_fetches_nothing(self, harness: PullHarness) -> None:
        """The second pull finds the same version, keeps the user's settings, and downloads nothing."""
        model = (await harness.pull()).model
        await harness.store.edit_model(model.name, lambda _: ModelEdit(settings=ModelSettings(context=512)))
        fetches = len(harness.hub.fetches)
        again = await harness.pull()
        assert (again.is_new, again.is_updated) == (False, False)
        assert (again.model.id, again.model.settings.context) == (model.id, 512)
        assert (again.model.version_id, again.model.paths) == (model.version_id, model.paths)
        assert len(harness.hub.fetches) == fetches
        assert harness.incoming() == []

    async def test_shards_are_one_version(self, harness: PullHarness) -> None:
        """Both have their own names in one directory, where an engine looks for them."""
        harness.hub.add_repository("ada/big", shards(harness))
        model = (await harness.pull("ada/big")).model
        assert [path.name for path in model.paths] == list(SHARDS)
        assert len({path.parent for path in model.paths}) == 1
        assert read_model(model.paths[0]).paths == model.paths

    async def test_damaged_file_is_fetched_again(self, harness: PullHarness) -> None:
        """A present file is read completely, so a changed byte is detected; the damaged file is no longer gglib's."""
        model = (await harness.pull()).model
        path = model.paths[0]
        path.chmod(0o644)
        path.write_bytes(b"x" + harness.file[1:])
        repaired = await harness.pull()
        assert repaired.model.id == model.id
        assert repaired.model.paths[0].read_bytes() == harness.file
        assert repaired.model.paths != model.paths

    async def test_bit_rot_is_noticed_with_unchanged_metadata(self, harness: PullHarness) -> None:
        """Size, inode and date are as recorded; only the content shows the damage."""
        model = (await harness.pull()).model
        path = model.paths[0]
        status = path.stat()
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.seek(-1, 2)
            file.write(bytes([harness.file[-1] ^ 1]))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        repaired = await harness.pull()
        assert repaired.model.paths[0].read_bytes() == harness.file

    async def test_full_disk_is_reported_before_the_first_byte(
        self, harness: PullHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error states the space that all files need together, and the free space."""
        monkeypatch.setattr(disk_space, "SPARE_BYTES", 1 << 60)
        with pytest.raises(DiskFullError, match=r"tiny-Q4_K_M needs .* more disk space in .* are free"):
            await harness.pull()
        assert harness.hub.fetches == []
        assert harness.files() == []
        assert await harness.store.list_pulls() == []

    async def test_unwritable_directory_is_one_sentence(self, harness: PullHarness) -> None:
        """A file has the directory's name: reported before the first byte."""
        (harness.models / "ada").write_text("in the way")
        with pytest.raises(StorageError, match="cannot be written"):
            await harness.pull()
        assert harness.hub.fetches == []
        assert harness.files() == ["ada"]


class TestUpdating:
    async def test_newer_version_replaces_the_older_one(self, harness: PullHarness) -> None:
        """Same name, same id, new content in its own directory; the older version is deleted at the end."""
        old = (await harness.pull()).model
        harness.changes("tiny-Q4_K_M.gguf", harness.other_file)
        plan = await harness.plan()
        assert plan.known == old
        new = await harness.puller.pull(plan, ignore)
        assert (new.model.id, new.model.name, new.is_updated) == (old.id, old.name, True)
        assert new.model.hashes != old.hashes
        assert new.model.paths[0].read_bytes() == harness.other_file
        assert not old.paths[0].parent.exists()
        assert new.freed_bytes >= len(harness.file)
        assert harness.files() == ["ada/tiny-GGUF/Q4_K_M/tiny-Q4_K_M.gguf"]

    async def test_update_interrupted_in_its_second_shard_keeps_the_older_version(
        self, harness: PullHarness
    ) -> None:
        """Row and files stay as they were, and the same pull resumes with the first shard."""
        harness.hub.add_repository(REPO, shards(harness))
        old = (await harness.pull()).model
        before = [path.read_bytes() for path in old.paths]
        harness.hub.add_repository(REPO, shards(harness, seed=1))
        harness.hub.cuts[SHARDS[1]] = 1000
        with pytest.raises(HubUnreachableError):
            await harness.pull()
        assert await harness.store.list_models() == [old]
        assert [path.read_bytes() for path in old.paths] == before
        assert [job.asked for job in await harness.store.list_pulls()] == [f"{REPO}:Q4_K_M"]
        fetches = len(harness.hub.fetches)
        new = (await harness.pull()).model
        assert [fetch.name for fetch in harness.hub.fetches[fetches:]] == [SHARDS[1]]
        assert harness.hub.fetches[-1].start_bytes == 1000
        assert read_model(new.paths[0]).size_bytes == new.size_bytes
        assert not old.paths[0].exists()

    @pytest.mark.parametrize("lost_bytes", [1, 1000])
    async def test_file_truncated_at_its_source_changes_nothing(
        self, harness: PullHarness, lost_bytes: int
    ) -> None:
        """The file is complete but cannot be loaded: the older version stays, the new file is deleted."""
        old = (await harness.pull()).model
        harness.changes("tiny-Q4_K_M.gguf", harness.other_file[:-lost_bytes])
        with pytest.raises(InvalidGgufError, match="'tiny-Q4_K_M' is unchanged") as raised:
            await harness.pull()
        assert "incomplete: it has" in str(raised.value)
        assert await harness.store.list_models() == [old]
        assert old.paths[0].read_bytes() == harness.file
        assert (harness.incoming(), await harness.store.list_pulls()) == ([], [])

    async def test_truncated_second_shard_is_named(self, harness: PullHarness) -> None:
        """The error has its name in the repository, not that of the incoming file."""
        files = shards(harness)
        harness.hub.add_repository("ada/big", {**files, SHARDS[1]: files[SHARDS[1]][:-500]})
        with pytest.raises(InvalidGgufError, match=f"its shard '{SHARDS[1]}' cannot be used: incomplete"):
            await harness.pull("ada/big")
        assert harness.files() == []

    async def test_broken_projector_is_refused_like_a_broken_model(self, harness: PullHarness) -> None:
        """An engine that is launched with it would not start: the model without vision is unchanged."""
        harness.hub.add_repository(
            "ada/eye", {"eye-Q4_K_M.gguf": harness.file, "mmproj-F16.gguf": harness.eye}
        )
        old = (await harness.pull("ada/eye:Q4_K_M")).model
        for bad in (harness.eye[: -4096 - 10], b"eye", harness.other_file):
            harness.hub.add_repository("ada/eye", {"eye-Q4_K_M.gguf": harness.file, "mmproj-F16.gguf": bad})
            with pytest.raises(InvalidGgufError, match=r"its projector 'mmproj-F16\.gguf'"):
                await harness.pull("ada/eye:Q4_K_M")
        assert await harness.store.list_models() == [old]
        assert old.projector is not None
        assert old.projector.read_bytes() == harness.eye

    async def test_false_shards_leave_nothing(self, harness: PullHarness) -> None:
        """Two files whose names say that they are shards of one model, while their headers do not."""
        names = [f"odd-Q4_K_M-0000{number}-of-00002.gguf" for number in (1, 2)]
        harness.hub.add_repository("ada/odd", dict.fromkeys(names, harness.file))
        with pytest.raises(InvalidGgufError, match="is not shard 1 of 2"):
            await harness.pull("ada/odd")
        assert (harness.files(), harness.incoming()) == ([], [])

    async def test_single_shard_is_no_model(self, harness: PullHarness) -> None:
        """Its header says that it is one of two, and its name does not: no engine would find the other file."""
        harness.hub.add_repository("ada/half", {"half-Q4_K_M.gguf": shards(harness)[SHARDS[0]]})
        with pytest.raises(InvalidGgufError, match="one of 2 shards"):
            await harness.pull("ada/half")

    async def test_newer_version_keeps_user_settings(self, harness: PullHarness) -> None:
        """The model's kind, and the user's own projector, stay when its files are replaced."""
        old = (await harness.pull()).model
        eyes = write_tiny_projector(harness.home / "eyes.gguf")
        seeing = await set_projector(old, eyes, harness.store, read_model)
        assert (seeing.projector, seeing.capabilities.vision) == (eyes, True)
        await harness.store.edit_model(old.name, lambda _: ModelEdit(settings=ModelSettings(kind="rerank")))
        harness.changes("tiny-Q4_K_M.gguf", harness.other_file)
        new = (await harness.pull()).model
        assert (new.id, new.settings.kind, new.projector) == (old.id, "rerank", eyes)
        assert (new.hashes != old.hashes, new.capabilities.names()) == (True, ("rerank",))
        back = await harness.store.edit_model(new.name, lambda _: ModelEdit(settings=ModelSettings()))
        assert back is not None
        assert back.capabilities.vision

    async def test_user_projector_beside_the_model_survives_an_update(self, harness: PullHarness) -> None:
        """A newer version keeps the projector that the user set, in any place: no pull fetched it."""
        model = (await harness.pull()).model
        path = model.paths[0].with_name("mmproj-mine.gguf")
        write_tiny_projector(path)
        await set_projector(model, path, harness.store, read_model)
        for content in (harness.file, harness.other_file):
            harness.changes("tiny-Q4_K_M.gguf", content)
            updated = (await harness.pull()).model
            assert (updated.id, updated.projector, updated.capabilities.vision) == (model.id, path, True)
        assert path.is_file()

    async def test_server_pull_adds_no_projector_that_the_user_left_out(self, harness: PullHarness) -> None:
        """A server does not prompt: an update has the model's former choice."""
        harness.hub.add_repository(
            "ada/eye", {"eye-Q4_K_M.gguf": harness.file, "mmproj-F16.gguf": harness.eye}
        )
        assert (await harness.plan("ada/eye:Q4_K_M")).as_it_was().projector is not None
        await harness.puller.pull((await harness.plan("ada/eye:Q4_K_M")).without_projector(), ignore)
        plan = await harness.plan("ada/eye:Q4_K_M")
        assert (plan.projector is not None, plan.had_projector) == (True, False)
        assert plan.as_it_was().projector is None

    @pytest.mark.parametrize("is_newer", [False, True])
    async def test_projector_that_the_user_removed_or_set_stays(
        self, harness: PullHarness, tmp_path: Path, *, is_newer: bool
    ) -> None:
        """Pulled again, a model whose repository has a projector keeps the later choice; it can be requested."""
        files = {"eye-Q4_K_M.gguf": harness.file, "mmproj-F16.gguf": harness.eye}
        harness.hub.add_repository("ada/eye", files)
        model = (await harness.pull("ada/eye")).model
        own = write_tiny_projector(tmp_path / "mmproj-mine.gguf")
        for chosen in (None, own):
            model = await set_projector(model, chosen, harness.store, read_model)
            if is_newer:
                content = harness.other_file if chosen is None else harness.file
                harness.hub.add_repository("ada/eye", {**files, "eye-Q4_K_M.gguf": content})
            plan = await harness.plan("ada/eye:Q4_K_M")
            assert plan.had_projector is False
            model = (await harness.puller.pull(plan.as_it_was(), ignore)).model
            assert (model.projector, model.capabilities.vision) == (chosen, chosen is not None)
        plan = await harness.plan("ada/eye:Q4_K_M")
        asked = (await harness.puller.pull(plan, ignore)).model
        assert asked.projector not in {None, own}

    async def test_complete_file_with_a_temporary_read_error_is_kept(self, harness: PullHarness) -> None:
        """After "too many open files" or an I/O error the verified file is kept, and the next start adds its model."""

        def read(paths: Sequence[Path], names: Sequence[str]) -> ModelFiles:
            raise UnreadableFileError("cannot be read: Too many open files")

        site = replace(harness.site, read_files=read)
        with pytest.raises(StorageError, match="Too many open files"):
            await replace(harness.puller, site=site).pull(await harness.plan(), ignore)
        assert await harness.store.list_models() == []
        assert [model.name for model in await finish_interrupted(harness.site)] == ["tiny-Q4_K_M"]

    async def test_update_reports_needed_and_freed_space(self, harness: PullHarness) -> None:
        """The whole new version is needed, the old one is freed at the end; common files do not count."""
        files = {"eye-Q4_K_M.gguf": harness.file, "mmproj-F16.gguf": harness.eye}
        harness.hub.add_repository("ada/eye", files)
        assert (await harness.plan("ada/eye")).needs_bytes == len(harness.file) + len(harness.eye)
        await harness.pull("ada/eye")
        harness.hub.add_repository("ada/eye", {**files, "eye-Q4_K_M.gguf": harness.other_file})
        plan = await harness.plan("ada/eye")
        assert (plan.needs_bytes, plan.frees_bytes) == (len(harness.other_file), len(harness.file))
        assert (await harness.puller.pull(plan, ignore)).model.projector is not None


class TestSharing:
    async def test_two_quantizations_share_one_projector_on_the_disk(self, harness: PullHarness) -> None:
        """The second one links it: one inode, nothing fetched, and each version has it under its own name."""
        files = {
            "eye-Q4_K_M.gguf": harness.file,
            "eye-Q8_0.gguf": harness.other_file,
            "mmproj-F16.gguf": harness.eye,
        }
        harness.hub.add_repository("ada/eye", files)
        first = (await harness.pull("ada/eye:Q4_K_M")).model
        plan = await harness.plan("ada/eye:Q8_0")
        assert plan.needs_bytes == len(harness.other_file)
        second = (await harness.puller.pull(plan, ignore)).model
        assert [fetch.name for fetch in harness.hub.fetches].count("mmproj-F16.gguf") == 1
        assert first.projector is not None
        assert second.projector is not None
        assert first.projector != second.projector
        assert first.projector.samefile(second.projector)

    async def test_update_of_one_leaves_the_other_unchanged(self, harness: PullHarness) -> None:
        """A newer projector comes with the pulled one; the other one keeps its own."""
        files = {
            "eye-Q4_K_M.gguf": harness.file,
            "eye-Q8_0.gguf": harness.other_file,
            "mmproj-F16.gguf": harness.eye,
        }
        harness.hub.add_repository("ada/eye", files)
        first = (await harness.pull("ada/eye:Q4_K_M")).model
        second = (await harness.pull("ada/eye:Q8_0")).model
        newer = write_tiny_projector(harness.home / "newer.gguf").read_bytes() + b"\0" * 32
        harness.hub.add_repository("ada/eye", {**files, "mmproj-F16.gguf": newer})
        updated = (await harness.pull("ada/eye:Q8_0")).model
        assert first.projector is not None
        assert updated.projector is not None
        assert (first.projector.read_bytes(), updated.projector.read_bytes()) == (harness.eye, newer)
        assert second.projector is not None
        assert not second.projector.exists()
        assert await harness.store.resolve_model("eye-Q4_K_M") == first

    async def test_two_concurrent_pulls_fetch_the_projector_once(self, harness: PullHarness) -> None:
        """The second pull waits for the first one's fetch, reports the wait, and then finds the complete file."""
        files = {
            "eye-Q4_K_M.gguf": harness.file,
            "eye-Q8_0.gguf": harness.other_file,
            "mmproj-F16.gguf": harness.eye,
        }
        harness.hub.add_repository("ada/eye", files)
        gate, waits = asyncio.Event(), asyncio.Event()
        harness.hub.pauses["mmproj-F16.gguf"] = gate
        reports: list[str] = []

        def on_progress(progress: PullProgress) -> None:
            reports.append(progress.phase)
            if progress.phase == "waiting":
                waits.set()

        async def sleep(_wait_s: float) -> None:
            await asyncio.sleep(0)

        puller = replace(harness.puller, sleep=sleep)
        first = asyncio.ensure_future(puller.pull(await harness.plan("ada/eye:Q4_K_M"), on_progress))
        second = asyncio.ensure_future(puller.pull(await harness.plan("ada/eye:Q8_0"), on_progress))
        await soon(waits)
        gate.set()
        done = [(await pull).model for pull in (first, second)]
        assert all(model.projector is not None and model.projector.is_file() for model in done)
        assert [fetch.name for fetch in harness.hub.fetches].count("mmproj-F16.gguf") == 1
        assert (harness.incoming(), await harness.store.list_pulls()) == ([], [])

    async def test_same_model_pulled_twice_concurrently_is_one_model(self, harness: PullHarness) -> None:
        """The second pull waits for the first one, and finds the model up to date."""
        gate, waits = asyncio.Event(), asyncio.Event()
        harness.hub.pauses["tiny-Q4_K_M.gguf"] = gate
        reached = asyncio.Event()
        plans = [await harness.plan(), await harness.plan()]
        first = asyncio.ensure_future(harness.puller.pull(plans[0], lambda _: reached.set()))
        await soon(reached)

        def on_progress(progress: PullProgress) -> None:
            if progress.phase == "waiting":
                waits.set()

        second = asyncio.ensure_future(harness.puller.pull(plans[1], on_progress))
        await soon(waits)
        gate.set()
        done = [await first, await second]
        assert [(model.is_new, model.is_updated) for model in done] == [(True, False), (False, False)]
        assert len(await harness.store.list_models()) == 1
        assert len(harness.hub.fetches) == 1

    async def test_version_kept_without_a_row_is_adopted(self, harness: PullHarness) -> None:
        """``rm`` without ``--files`` leaves it: pulled again, it is the same directory and nothing is fetched."""
        model = (await harness.pull()).model
        await harness.store.remove_model(model.name)
        fetches = len(harness.hub.fetches)
        again = await harness.pull()
        assert (again.is_new, again.model.paths) == (True, model.paths)
        assert len(harness.hub.fetches) == fetches
        assert len(await harness.store.list_versions()) == 1


class TestWhatIsNotOurs:
    async def test_user_files_are_never_replaced(self, harness: PullHarness) -> None:
        """Files in the models directory of an older gglib, in the version's directory, and at that directory's path."""
        model = (await harness.pull()).model
        await harness.store.remove_with_version(model.id)
        directory = model.paths[0].parent
        own = {
            directory / "tiny-Q4_K_M.gguf": b"mine",
            directory / "notes.txt": b"mine, too",
            harness.models / "ada/tiny-GGUF/tiny-Q4_K_M.gguf": b"and this",
        }
        model.paths[0].unlink()
        for path, content in own.items():
            path.write_bytes(content)
        again = (await harness.pull()).model
        assert again.paths[0].read_bytes() == harness.file
        assert again.paths[0].parent == directory.with_name(f"{directory.name}-2")
        assert {path: path.read_bytes() for path in own} == own

    async def test_user_file_beside_a_version_stays_when_it_is_deleted(self, harness: PullHarness) -> None:
        """An update deletes the older version's files, and nothing that it did not write."""
        model = (await harness.pull()).model
        mine = model.paths[0].with_name("mine.txt")
        mine.write_text("mine")
        harness.changes("tiny-Q4_K_M.gguf", harness.other_file)
        await harness.pull()
        assert mine.read_text() == "mine"
        assert not model.paths[0].exists()

    async def test_modified_file_of_a_version_stays_when_it_is_deleted(self, harness: PullHarness) -> None:
        """A modified file is the user's: an update leaves it in place."""
        model = (await harness.pull()).model
        path = model.paths[0]
        path.unlink()
        path.write_bytes(b"mine")
        harness.changes("tiny-Q4_K_M.gguf", harness.other_file)
        updated = await harness.pull()
        assert updated.model.paths[0].read_bytes() == harness.other_file
        assert path.read_bytes() == b"mine"


class TestNames:
    async def test_another_alias_is_added_to_a_present_model(self, harness: PullHarness) -> None:
        """Its present names stay."""
        model = (await harness.pull()).model
        again = await harness.puller.pull(await harness.plan(aliases=("coder",)), ignore)
        assert (again.model.name, again.model.aliases) == (model.name, (*model.aliases, "coder"))

    async def test_another_name_is_refused(self, harness: PullHarness) -> None:
        """It would be ignored: the sentence has the model's name, and how to add one."""
        await harness.pull()
        with pytest.raises(ModelExistsError, match="--alias"):
            await harness.plan(name="coder")
        assert (await harness.plan(name="TINY-q4_k_m")).name == "tiny-Q4_K_M"

    async def test_alias_set_during_an_update_stays(self, harness: PullHarness) -> None:
        """The update was planned before: it adds its own names and removes none."""
        model = (await harness.pull()).model
        harness.changes("tiny-Q4_K_M.gguf", harness.other_file)
        plan = await harness.plan(aliases=("coder",))
        await harness.store.edit_model(model.name, lambda model: ModelEdit(aliases=(*model.aliases, "mine")))
        updated = await harness.puller.pull(plan, ignore)
        assert updated.model.aliases == (f"{REPO}:Q4_K_M", "mine", "coder")
        assert updated.refused_names == ()

    async def test_alias_taken_meanwhile_is_reported_and_the_pull_succeeds(
        self, harness: PullHarness
    ) -> None:
        """Another model takes the alias during the fetch."""
        other = (await harness.pull(f"{REPO}:Q8_0")).model
        plan = await harness.plan(aliases=("coder",))
        taken = asyncio.Event()
        harness.hub.pauses["tiny-Q4_K_M.gguf"] = taken
        reached = asyncio.Event()
        pull = asyncio.ensure_future(harness.puller.pull(plan, lambda _: reached.set()))
        await soon(reached)
        await harness.store.edit_model(other.name, lambda model: ModelEdit(aliases=(*model.aliases, "coder")))
        taken.set()
        pulled = await pull
        assert pulled.refused_names == ("coder",)
        assert pulled.model.aliases == (f"{REPO}:Q4_K_M",)

    async def test_alias_taken_before_the_start_is_reported_too(self, harness: PullHarness) -> None:
        """The alias was taken while the user read the plan: the model is pulled without it."""
        other = (await harness.pull(f"{REPO}:Q8_0")).model
        plan = await harness.plan(aliases=("coder",))
        await harness.store.edit_model(other.name, lambda model: ModelEdit(aliases=(*model.aliases, "coder")))
        pulled = await harness.puller.pull(plan, ignore)
        assert pulled.refused_names == ("coder",)

    async def test_model_entered_by_another_pull_gets_the_name_as_an_alias(
        self, harness: PullHarness
    ) -> None:
        """Two concurrent commands pull one model, one of them with a name: it has both names."""
        named = await harness.plan(name="coder")
        model = (await harness.pull()).model
        again = await harness.puller.pull(named, ignore)
        assert (again.model.id, again.model.name) == (model.id, "tiny-Q4_K_M")
        assert "coder" in again.model.aliases

    async def test_name_taken_meanwhile_is_replaced(self, harness: PullHarness) -> None:
        """After the download the model is added under the next free name, which is reported."""
        harness.hub.add_repository("bob/tiny", {"tiny-Q4_K_M.gguf": harness.third_file})
        plan = await harness.plan("bob/tiny")
        gate, reached = asyncio.Event(), asyncio.Event()
        harness.hub.pauses["tiny-Q4_K_M.gguf"] = gate
        pull = asyncio.ensure_future(harness.puller.pull(plan, lambda _: reached.set()))
        await soon(reached)
        other = await harness.puller.pull(await harness.plan(f"{REPO}:Q8_0", name="tiny-Q4_K_M"), ignore)
        gate.set()
        pulled = await pull
        assert other.model.name == "tiny-Q4_K_M"
        assert (pulled.model.name, pulled.refused_names) == ("bob/tiny:Q4_K_M", ("tiny-Q4_K_M",))

    async def test_file_renamed_upstream_is_the_same_model(self, harness: PullHarness) -> None:
        """``owner/name:QUANT`` means its latest pull: the row moves, the name stays with it."""
        old = (await harness.pull()).model
        harness.changes("tiny-v2-Q4_K_M.gguf", harness.other_file)
        new = await harness.pull()
        assert (new.model.id, new.is_updated) == (old.id, True)
        assert new.model.source.file == "tiny-v2-Q4_K_M.gguf"
        assert await harness.store.resolve_model(f"{REPO}:Q4_K_M") == new.model
        assert harness.files() == ["ada/tiny-GGUF/Q4_K_M/tiny-v2-Q4_K_M.gguf"]

    async def test_renamed_file_without_a_change_is_not_fetched(self, harness: PullHarness) -> None:
        """The same content under another name: it is linked."""
        await harness.pull()
        harness.changes("tiny-v2-Q4_K_M.gguf", harness.file)
        fetches = len(harness.hub.fetches)
        new = (await harness.pull()).model
        assert new.paths[0].name == "tiny-v2-Q4_K_M.gguf"
        assert len(harness.hub.fetches) == fetches
        assert harness.files() == ["ada/tiny-GGUF/Q4_K_M/tiny-v2-Q4_K_M.gguf"]

    async def test_model_split_into_shards_upstream_is_the_same_model(self, harness: PullHarness) -> None:
        """The same holds if the shards are joined again."""
        old = (await harness.pull()).model
        harness.hub.add_repository(REPO, {f"Q4_K_M/{name}": model for name, model in shards(harness).items()})
        split = (await harness.pull()).model
        assert (split.id, len(split.paths)) == (old.id, 2)
        harness.changes("tiny-Q4_K_M.gguf", harness.file)
        joined = (await harness.pull()).model
        assert (joined.id, len(joined.paths)) == (old.id, 1)
        assert len(await harness.store.list_models()) == 1

    async def test_without_its_alias_the_quantization_identifies_the_model(
        self, harness: PullHarness
    ) -> None:
        """The user removed the alias, and the file was renamed."""
        old = (await harness.pull()).model
        await harness.store.edit_model(old.name, lambda _: ModelEdit(aliases=()))
        harness.changes("tiny-v2-Q4_K_M.gguf", harness.other_file)
        assert (await harness.pull()).model.id == old.id

    async def test_alias_moves_to_the_latest_pull(self, harness: PullHarness) -> None:
        """Two files of one quantization, each pulled by its name; then only the second one is left."""
        first = (await harness.pull()).model
        both = {"tiny-Q4_K_M.gguf": harness.file, "other-Q4_K_M.gguf": harness.other_file}
        harness.hub.add_repository(REPO, both)
        second = (await harness.pull(f"{REPO}/other-Q4_K_M.gguf")).model
        assert second.id != first.id
        harness.changes("other-Q4_K_M.gguf", harness.other_file)
        assert (await harness.pull()).model.id == second.id
        named = await harness.store.resolve_model(f"{REPO}:Q4_K_M")
        assert named is not None
        assert named.id == second.id

    async def test_requested_target_is_a_name_too(self, harness: PullHarness) -> None:
        """``Q4_K_M`` resolves to ``UD-Q4_K_M``: the target as typed finds the model."""
        harness.hub.add_repository("ada/ud", {"tiny-UD-Q4_K_M.gguf": harness.file})
        model = (await harness.pull("ada/ud:q4_k_m")).model
        assert await harness.store.resolve_model("ada/ud:Q4_K_M") == model
        assert await harness.store.resolve_model("ada/ud:UD-Q4_K_M") == model

    async def test_target_that_changed_its_quantization_moves_the_row(self, harness: PullHarness) -> None:
        """``Q4_K_M`` resolved to ``UD-Q4_K_M`` without a plain one; the target as typed decides."""
        harness.hub.add_repository("ada/ud", {"tiny-UD-Q4_K_M.gguf": harness.file})
        old = (await harness.pull("ada/ud:Q4_K_M")).model
        both = {"tiny-UD-Q4_K_M.gguf": harness.file, "tiny-Q4_K_M.gguf": harness.other_file}
        harness.hub.add_repository("ada/ud", both)
        new = (await harness.pull("ada/ud:Q4_K_M")).model
        assert (new.id, new.paths[0].read_bytes()) == (old.id, harness.other_file)

    @pytest.mark.parametrize("asked", [f"{REPO}:Q4_K_M", "eve/tiny-GGUF:Q4_K_M"])
    async def test_moved_repository_is_the_same_one(self, harness: PullHarness, asked: str) -> None:
        """Pulled under its old name or its new one: one row, found and updated under both names."""
        old = (await harness.pull()).model
        harness.hub.rename_repository(REPO, "eve/tiny-GGUF")
        harness.changes("tiny-Q4_K_M.gguf", harness.other_file, repo="eve/tiny-GGUF")
        new = (await harness.pull(asked)).model
        assert (new.id, new.source.repo) == (old.id, "eve/tiny-GGUF")
        for name in (f"{REPO}:Q4_K_M", "eve/tiny-GGUF:Q4_K_M"):
            assert await harness.store.resolve_model(name) == new
            assert (await harness.plan(name)).known == new
        assert len(await harness.store.list_models()) == 1

    async def test_repository_of_another_owner_is_another_model(self, harness: PullHarness) -> None:
        """The same file in a repository of the same name that the first one did not move to."""
        old = (await harness.pull()).model
        harness.hub.add_repository("eve/tiny-GGUF", {"tiny-Q4_K_M.gguf": harness.file})
        new = (await harness.pull("eve/tiny-GGUF:Q4_K_M")).model
        assert new.id != old.id
        assert new.paths[0].samefile(old.paths[0])
        assert await harness.store.resolve_model(f"{REPO}:Q4_K_M") == old


class TestAddresses:
    async def test_whole_url_is_kept(self, harness: PullHarness) -> None:
        """It identifies the model to update; its host is the directory of the files."""
        harness.hub.add_address(URL, harness.file)
        model = (await harness.pull(URL)).model
        assert (model.name, model.source.url, model.source.file) == ("found", URL, "found.gguf")
        assert harness.files() == ["files.invalid/found/found.gguf"]
        [version] = await harness.store.list_versions()
        assert version.files[0].validator == harness.hub.validators.get(URL, version.files[0].validator)
        assert version.files[0].validator is not None

    @pytest.mark.parametrize("validators", [('"a"', '"b"'), ("Mon, 1", "Tue, 2"), (None, None)])
    async def test_new_content_of_equal_size_is_an_update(
        self, harness: PullHarness, validators: tuple[str | None, str | None]
    ) -> None:
        """Another ETag or date means new content; without validators the file is fetched again and compared."""
        assert len(harness.file) == len(harness.other_file)
        harness.hub.add_address(URL, harness.file)
        harness.hub.validators[URL] = validators[0]
        old = (await harness.pull(URL)).model
        harness.hub.add_address(URL, harness.other_file)
        harness.hub.validators[URL] = validators[1]
        new = await harness.pull(URL)
        assert (new.model.id, new.is_updated) == (old.id, True)
        assert new.model.paths[0].read_bytes() == harness.other_file
        assert harness.files() == ["files.invalid/found/found.gguf"]

    @pytest.mark.parametrize("validator", ['"a"', "Mon, 1"])
    async def test_same_validator_means_the_same_file(self, harness: PullHarness, validator: str) -> None:
        """Nothing is fetched, and the present file is verified."""
        harness.hub.add_address(URL, harness.file)
        harness.hub.validators[URL] = validator
        model = (await harness.pull(URL)).model
        again = await harness.pull(URL)
        assert (again.model.paths, again.is_updated) == (model.paths, False)
        assert len(harness.hub.fetches) == 1

    async def test_without_a_validator_the_file_is_fetched_and_compared(self, harness: PullHarness) -> None:
        """The row has one model with the same content."""
        harness.hub.add_address(URL, harness.file)
        harness.hub.validators[URL] = None
        model = (await harness.pull(URL)).model
        again = await harness.pull(URL)
        assert (again.model.id, again.model.paths, again.is_updated) == (model.id, model.paths, False)
        assert len(harness.hub.fetches) == 2
        assert len(await harness.store.list_models()) == 1
        assert harness.files() == ["files.invalid/found/found.gguf"]

    async def test_another_query_is_another_file(self, harness: PullHarness) -> None:
        """The content differs: a second model is added under its own name, and the first one stays."""
        for version, content in (("1", harness.file), ("2", harness.other_file)):
            harness.hub.add_address(f"{URL}?v={version}", content)
        first = (await harness.pull(f"{URL}?v=1")).model
        second = (await harness.pull(f"{URL}?v=2")).model
        assert (first.name, second.name, second.id != first.id) == ("found", "found-2", True)
        assert first.paths[0].read_bytes() == harness.file
        assert second.paths[0].read_bytes() == harness.other_file

    @pytest.mark.parametrize("validator", ['"a"', "Mon, 1", None])
    async def test_another_signature_for_the_same_content_is_the_same_file(
        self, harness: PullHarness, validator: str | None
    ) -> None:
        """A strong ETag proves it at once; otherwise it is fetched and compared. The row gets the newer URL."""
        signed = [f"{URL}?Signature={number}" for number in (1, 2)]
        for url in signed:
            harness.hub.add_address(url, harness.file)
            harness.hub.validators[url] = validator
        first = (await harness.pull(signed[0])).model
        second = (await harness.pull(signed[1])).model
        assert (second.id, second.source.url) == (first.id, signed[1])
        assert len(harness.hub.fetches) == (1 if validator == '"a"' else 2)
        assert len(await harness.store.list_models()) == 1

    async def test_complete_file_of_an_earlier_pull_is_not_trusted_without_a_validator(
        self, harness: PullHarness
    ) -> None:
        """A pull was killed after it received a file; the server has another file of the same size by now."""
        harness.hub.add_address(URL, harness.file)
        harness.hub.validators[URL] = None
        plan = await harness.plan(URL)
        harness.site.incoming.prepare()
        harness.site.incoming.path(plan.files[0].key).write_bytes(harness.file)
        harness.hub.add_address(URL, harness.other_file)
        model = (await harness.puller.pull(plan, ignore)).model
        assert model.paths[0].read_bytes() == harness.other_file


def _split(harness: PullHarness, seed: int) -> list[bytes]:
    import gguf

    from gglib.testing import write_tiny_gguf

    reader = gguf.GGUFReader(write_tiny_gguf(harness.home / "whole.gguf", seed=seed))
    parts = []
    for index in range(2):
        path = harness.home / f"part-{index}.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_uint16("split.no", index)
        writer.add_uint16("split.count", 2)
        writer.add_int32("split.tensors.count", len(reader.tensors))
        half = len(reader.tensors) // 2
        for tensor in reader.tensors[:half] if index == 0 else reader.tensors[half:]:
            writer.add_tensor(tensor.name, tensor.data)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        parts.append(path.read_bytes())
    return parts
