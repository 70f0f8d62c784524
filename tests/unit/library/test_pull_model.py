"""A pull: what is fetched and entered, what an update keeps, what is shared, what is never touched."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

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
from gglib.library.pull.enter import finish_interrupted
from gglib.library.pull.execute import PullProgress
from gglib.library.set_projector import set_projector
from gglib.testing import FakeCatalog, write_tiny_projector

from .pull_house import REPO, URL, House, ignore, soon

SHARDS = ("tiny-Q4_K_M-00001-of-00002.gguf", "tiny-Q4_K_M-00002-of-00002.gguf")


@pytest.fixture(params=["memory", "sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Yield a house without any model, on either store."""
    if request.param == "memory":
        yield House(tmp_path, FakeCatalog())
        return
    (tmp_path / "home").mkdir()
    async with SqliteCatalog(tmp_path / "home" / "gglib.db") as store:
        yield House(tmp_path, store)


def shards(house: House, seed: int = 0) -> dict[str, bytes]:
    """Return a tiny model in two files, as the tools of llama.cpp split one."""
    return dict(zip(SHARDS, _split(house, seed), strict=True))


class TestPulling:
    async def test_the_model_is_in_the_catalogue_with_all_that_is_known(self, house: House) -> None:
        """Source, hash, alias, and its version, which lies in a directory of its own; nothing else is left."""
        pulled = await house.pull()
        model = pulled.model
        assert (pulled.is_new, pulled.is_updated, pulled.refused_names) == (True, False, ())
        [version] = await house.store.list_versions()
        assert version.directory is not None
        assert version.directory.parent == house.models / "ada/tiny-GGUF"
        assert model.paths == (version.directory / "tiny-Q4_K_M.gguf",)
        assert model.paths[0].read_bytes() == house.file
        assert (model.version_id, model.is_downloaded, model.architecture) == (version.id, True, "llama")
        assert model.hashes == (model.source.sha256,)
        assert await house.store.resolve_model(f"{REPO}:Q4_K_M") == model
        assert house.files() == ["ada/tiny-GGUF/Q4_K_M/tiny-Q4_K_M.gguf"]
        assert house.incoming() == []
        assert await house.store.list_pulls() == []

    async def test_a_projector_is_fetched_and_the_model_can_see(self, house: House) -> None:
        """It is a file of the version, whose model is still one file; without it nothing is said of seeing."""
        house.hub.add_repository("ada/eye", {"eye-Q4_K_M.gguf": house.file, "mmproj-F16.gguf": house.eye})
        plan = await house.plan("ada/eye:Q4_K_M")
        model = (await house.puller.pull(plan, ignore)).model
        assert model.projector is not None
        assert model.projector.read_bytes() == house.eye
        assert model.projector.parent == model.paths[0].parent
        assert model.capabilities.vision
        assert len(model.paths) == 1
        blind = await house.puller.pull(plan.without_projector(), ignore)
        assert (blind.model.id, blind.model.projector) == (model.id, None)
        assert (blind.is_updated, blind.model.capabilities.vision) == (True, False)
        assert house.files() == ["ada/eye/Q4_K_M/eye-Q4_K_M.gguf"]

    async def test_progress_is_counted_over_all_files(self, house: House) -> None:
        """It never goes back, ends at the total, and says when it enters the model."""
        house.hub.add_repository("ada/eye", {"eye-Q4_K_M.gguf": house.file, "mmproj-F16.gguf": house.eye})
        told: list[PullProgress] = []
        await house.puller.pull(await house.plan("ada/eye:Q4_K_M"), told.append)
        done = [progress.done_bytes for progress in told]
        assert done == sorted(done)
        assert done[-1] == len(house.file) + len(house.eye)
        assert told[-1].phase == "adding"
        assert {progress.file for progress in told} == {"eye-Q4_K_M.gguf", "mmproj-F16.gguf"}

    async def test_pulled_again_nothing_is_fetched(self, house: House) -> None:
        """The same version, with what the user set for the model, and not a byte from the network."""
        model = (await house.pull()).model
        await house.store.edit_model(model.name, lambda _: ModelEdit(settings=ModelSettings(context=512)))
        fetches = len(house.hub.fetches)
        again = await house.pull()
        assert (again.is_new, again.is_updated) == (False, False)
        assert (again.model.id, again.model.settings.context) == (model.id, 512)
        assert (again.model.version_id, again.model.paths) == (model.version_id, model.paths)
        assert len(house.hub.fetches) == fetches
        assert house.incoming() == []

    async def test_shards_are_one_version(self, house: House) -> None:
        """Both are beside one another under their own names, where an engine looks for them."""
        house.hub.add_repository("ada/big", shards(house))
        model = (await house.pull("ada/big")).model
        assert [path.name for path in model.paths] == list(SHARDS)
        assert len({path.parent for path in model.paths}) == 1
        assert read_model(model.paths[0]).paths == model.paths

    async def test_a_damaged_file_is_fetched_again(self, house: House) -> None:
        """What is there is read whole, so a byte that changed is noticed; the damaged file is not gglib's any more."""
        model = (await house.pull()).model
        path = model.paths[0]
        path.chmod(0o644)
        path.write_bytes(b"x" + house.file[1:])
        repaired = await house.pull()
        assert repaired.model.id == model.id
        assert repaired.model.paths[0].read_bytes() == house.file
        assert repaired.model.paths != model.paths

    async def test_a_bit_that_rots_is_noticed_though_the_file_looks_the_same(self, house: House) -> None:
        """Size, inode and date are as recorded; only the content says that it is damaged."""
        model = (await house.pull()).model
        path = model.paths[0]
        status = path.stat()
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.seek(-1, 2)
            file.write(bytes([house.file[-1] ^ 1]))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        repaired = await house.pull()
        assert repaired.model.paths[0].read_bytes() == house.file

    async def test_a_disk_without_room_is_told_before_the_first_byte(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of what is needed for all files together, and what is free."""
        monkeypatch.setattr(disk_space, "SPARE_BYTES", 1 << 60)
        with pytest.raises(DiskFullError, match=r"tiny-Q4_K_M needs .* more of disk space in .* are free"):
            await house.pull()
        assert house.hub.fetches == []
        assert house.files() == []
        assert await house.store.list_pulls() == []

    async def test_a_place_that_cannot_be_written_is_one_sentence(self, house: House) -> None:
        """A file stands where the directory would be: said before the first byte."""
        (house.models / "ada").write_text("in the way")
        with pytest.raises(StorageError, match="cannot be written"):
            await house.pull()
        assert house.hub.fetches == []
        assert house.files() == ["ada"]


class TestUpdating:
    async def test_a_newer_version_takes_the_place_of_the_older_one(self, house: House) -> None:
        """Same name, same id, new content in a directory of its own; the older one is deleted at the end."""
        old = (await house.pull()).model
        house.changes("tiny-Q4_K_M.gguf", house.other_file)
        plan = await house.plan()
        assert plan.known == old
        new = await house.puller.pull(plan, ignore)
        assert (new.model.id, new.model.name, new.is_updated) == (old.id, old.name, True)
        assert new.model.hashes != old.hashes
        assert new.model.paths[0].read_bytes() == house.other_file
        assert not old.paths[0].parent.exists()
        assert new.freed_bytes >= len(house.file)
        assert house.files() == ["ada/tiny-GGUF/Q4_K_M/tiny-Q4_K_M.gguf"]

    async def test_cut_on_its_second_shard_the_older_version_is_whole(self, house: House) -> None:
        """Row and files stay as they were, and the same pull goes on with what came of the first shard."""
        house.hub.add_repository(REPO, shards(house))
        old = (await house.pull()).model
        before = [path.read_bytes() for path in old.paths]
        house.hub.add_repository(REPO, shards(house, seed=1))
        house.hub.cuts[SHARDS[1]] = 1000
        with pytest.raises(HubUnreachableError):
            await house.pull()
        assert await house.store.list_models() == [old]
        assert [path.read_bytes() for path in old.paths] == before
        assert [job.asked for job in await house.store.list_pulls()] == [f"{REPO}:Q4_K_M"]
        fetches = len(house.hub.fetches)
        new = (await house.pull()).model
        assert [fetch.name for fetch in house.hub.fetches[fetches:]] == [SHARDS[1]]
        assert house.hub.fetches[-1].start_bytes == 1000
        assert read_model(new.paths[0]).size_bytes == new.size_bytes
        assert not old.paths[0].exists()

    @pytest.mark.parametrize("lost_bytes", [1, 1000])
    async def test_a_truncated_file_of_its_source_changes_nothing(
        self, house: House, lost_bytes: int
    ) -> None:
        """It arrives as it is there, and no engine could load it: the older version stays, what came goes."""
        old = (await house.pull()).model
        house.changes("tiny-Q4_K_M.gguf", house.other_file[:-lost_bytes])
        with pytest.raises(InvalidGgufError, match="'tiny-Q4_K_M' stays as it was") as raised:
            await house.pull()
        assert "incomplete: it has" in str(raised.value)
        assert await house.store.list_models() == [old]
        assert old.paths[0].read_bytes() == house.file
        assert (house.incoming(), await house.store.list_pulls()) == ([], [])

    async def test_a_truncated_second_shard_is_named(self, house: House) -> None:
        """By its name in the repository, not by what it is called while it comes."""
        files = shards(house)
        house.hub.add_repository("ada/big", {**files, SHARDS[1]: files[SHARDS[1]][:-500]})
        with pytest.raises(InvalidGgufError, match=f"its shard '{SHARDS[1]}' cannot be used: incomplete"):
            await house.pull("ada/big")
        assert house.files() == []

    async def test_a_broken_projector_is_refused_as_a_broken_model_is(self, house: House) -> None:
        """An engine that is launched with it would not start: the blind model stays as it was."""
        house.hub.add_repository("ada/eye", {"eye-Q4_K_M.gguf": house.file, "mmproj-F16.gguf": house.eye})
        old = (await house.pull("ada/eye:Q4_K_M")).model
        for bad in (house.eye[: -4096 - 10], b"eye", house.other_file):
            house.hub.add_repository("ada/eye", {"eye-Q4_K_M.gguf": house.file, "mmproj-F16.gguf": bad})
            with pytest.raises(InvalidGgufError, match=r"its projector 'mmproj-F16\.gguf'"):
                await house.pull("ada/eye:Q4_K_M")
        assert await house.store.list_models() == [old]
        assert old.projector is not None
        assert old.projector.read_bytes() == house.eye

    async def test_what_is_called_a_shard_and_is_none_leaves_nothing(self, house: House) -> None:
        """Two files whose names say that they are one model, and whose headers do not."""
        names = [f"odd-Q4_K_M-0000{number}-of-00002.gguf" for number in (1, 2)]
        house.hub.add_repository("ada/odd", dict.fromkeys(names, house.file))
        with pytest.raises(InvalidGgufError, match="is not shard 1 of 2"):
            await house.pull("ada/odd")
        assert (house.files(), house.incoming()) == ([], [])

    async def test_a_shard_alone_is_no_model(self, house: House) -> None:
        """Its header says that it is one of two, and its name does not: no engine would find the other one."""
        house.hub.add_repository("ada/half", {"half-Q4_K_M.gguf": shards(house)[SHARDS[0]]})
        with pytest.raises(InvalidGgufError, match="one of 2 shards"):
            await house.pull("ada/half")

    async def test_a_newer_version_keeps_what_the_user_set(self, house: House) -> None:
        """What a model is served as, and a projector of the user's own, stay when its files are replaced."""
        old = (await house.pull()).model
        eyes = write_tiny_projector(house.home / "eyes.gguf")
        seeing = await set_projector(old, eyes, house.store, read_model)
        assert (seeing.projector, seeing.capabilities.vision) == (eyes, True)
        await house.store.edit_model(old.name, lambda _: ModelEdit(settings=ModelSettings(kind="rerank")))
        house.changes("tiny-Q4_K_M.gguf", house.other_file)
        new = (await house.pull()).model
        assert (new.id, new.settings.kind, new.projector) == (old.id, "rerank", eyes)
        assert (new.hashes != old.hashes, new.capabilities.names()) == (True, ("rerank",))
        back = await house.store.edit_model(new.name, lambda _: ModelEdit(settings=ModelSettings()))
        assert back is not None
        assert back.capabilities.vision

    async def test_a_users_projector_beside_the_model_survives_an_update(self, house: House) -> None:
        """A newer version keeps the projector that the user set, wherever it is: no pull brought it."""
        model = (await house.pull()).model
        path = model.paths[0].with_name("mmproj-mine.gguf")
        write_tiny_projector(path)
        await set_projector(model, path, house.store, read_model)
        for content in (house.file, house.other_file):
            house.changes("tiny-Q4_K_M.gguf", content)
            updated = (await house.pull()).model
            assert (updated.id, updated.projector, updated.capabilities.vision) == (model.id, path, True)
        assert path.is_file()

    async def test_programs_get_no_projector_that_the_user_left_out(self, house: House) -> None:
        """Nobody is asked when a server pulls: an update is what the model was."""
        house.hub.add_repository("ada/eye", {"eye-Q4_K_M.gguf": house.file, "mmproj-F16.gguf": house.eye})
        assert (await house.plan("ada/eye:Q4_K_M")).as_it_was().projector is not None
        await house.puller.pull((await house.plan("ada/eye:Q4_K_M")).without_projector(), ignore)
        plan = await house.plan("ada/eye:Q4_K_M")
        assert (plan.projector is not None, plan.had_projector) == (True, False)
        assert plan.as_it_was().projector is None

    @pytest.mark.parametrize("is_newer", [False, True])
    async def test_a_projector_that_the_user_took_away_or_set_stays_so(
        self, house: House, tmp_path: Path, *, is_newer: bool
    ) -> None:
        """Pulled again, a model whose repository has a projector keeps what was chosen since; it can be asked for."""
        files = {"eye-Q4_K_M.gguf": house.file, "mmproj-F16.gguf": house.eye}
        house.hub.add_repository("ada/eye", files)
        model = (await house.pull("ada/eye")).model
        own = write_tiny_projector(tmp_path / "mmproj-mine.gguf")
        for chosen in (None, own):
            model = await set_projector(model, chosen, house.store, read_model)
            if is_newer:
                content = house.other_file if chosen is None else house.file
                house.hub.add_repository("ada/eye", {**files, "eye-Q4_K_M.gguf": content})
            plan = await house.plan("ada/eye:Q4_K_M")
            assert plan.had_projector is False
            model = (await house.puller.pull(plan.as_it_was(), ignore)).model
            assert (model.projector, model.capabilities.vision) == (chosen, chosen is not None)
        plan = await house.plan("ada/eye:Q4_K_M")
        asked = (await house.puller.pull(plan, ignore)).model
        assert asked.projector not in {None, own}

    async def test_a_whole_file_that_cannot_be_read_just_now_is_kept(self, house: House) -> None:
        """Too many open files, a disk that hiccups: it was verified, and the next start enters it."""

        def read(paths: Sequence[Path], names: Sequence[str]) -> ModelFiles:
            raise UnreadableFileError("cannot be read: Too many open files")

        site = replace(house.site, read_files=read)
        with pytest.raises(StorageError, match="Too many open files"):
            await replace(house.puller, site=site).pull(await house.plan(), ignore)
        assert await house.store.list_models() == []
        assert [model.name for model in await finish_interrupted(house.site)] == ["tiny-Q4_K_M"]

    async def test_an_update_says_what_room_it_takes_and_gives_back(self, house: House) -> None:
        """The new version whole, and the old one at the end; what both have in common neither needs nor frees."""
        files = {"eye-Q4_K_M.gguf": house.file, "mmproj-F16.gguf": house.eye}
        house.hub.add_repository("ada/eye", files)
        assert (await house.plan("ada/eye")).needs_bytes == len(house.file) + len(house.eye)
        await house.pull("ada/eye")
        house.hub.add_repository("ada/eye", {**files, "eye-Q4_K_M.gguf": house.other_file})
        plan = await house.plan("ada/eye")
        assert (plan.needs_bytes, plan.frees_bytes) == (len(house.other_file), len(house.file))
        assert (await house.puller.pull(plan, ignore)).model.projector is not None


class TestSharing:
    async def test_two_quantizations_have_one_projector_on_the_disk(self, house: House) -> None:
        """The second one links it: one inode, nothing fetched, and each version has it under its own name."""
        files = {
            "eye-Q4_K_M.gguf": house.file,
            "eye-Q8_0.gguf": house.other_file,
            "mmproj-F16.gguf": house.eye,
        }
        house.hub.add_repository("ada/eye", files)
        first = (await house.pull("ada/eye:Q4_K_M")).model
        plan = await house.plan("ada/eye:Q8_0")
        assert plan.needs_bytes == len(house.other_file)
        second = (await house.puller.pull(plan, ignore)).model
        assert [fetch.name for fetch in house.hub.fetches].count("mmproj-F16.gguf") == 1
        assert first.projector is not None
        assert second.projector is not None
        assert first.projector != second.projector
        assert first.projector.samefile(second.projector)

    async def test_an_update_of_one_leaves_the_other_as_it_is(self, house: House) -> None:
        """A newer projector comes with the one that is pulled; the other one keeps its own."""
        files = {
            "eye-Q4_K_M.gguf": house.file,
            "eye-Q8_0.gguf": house.other_file,
            "mmproj-F16.gguf": house.eye,
        }
        house.hub.add_repository("ada/eye", files)
        first = (await house.pull("ada/eye:Q4_K_M")).model
        second = (await house.pull("ada/eye:Q8_0")).model
        newer = write_tiny_projector(house.home / "newer.gguf").read_bytes() + b"\0" * 32
        house.hub.add_repository("ada/eye", {**files, "mmproj-F16.gguf": newer})
        updated = (await house.pull("ada/eye:Q8_0")).model
        assert first.projector is not None
        assert updated.projector is not None
        assert (first.projector.read_bytes(), updated.projector.read_bytes()) == (house.eye, newer)
        assert second.projector is not None
        assert not second.projector.exists()
        assert await house.store.resolve_model("eye-Q4_K_M") == first

    async def test_two_pulls_at_once_fetch_the_projector_once(self, house: House) -> None:
        """The second one waits while the first one fetches it, says so, and then finds it whole."""
        files = {
            "eye-Q4_K_M.gguf": house.file,
            "eye-Q8_0.gguf": house.other_file,
            "mmproj-F16.gguf": house.eye,
        }
        house.hub.add_repository("ada/eye", files)
        gate, waits = asyncio.Event(), asyncio.Event()
        house.hub.holds["mmproj-F16.gguf"] = gate
        told: list[str] = []

        def tell(progress: PullProgress) -> None:
            told.append(progress.phase)
            if progress.phase == "waiting":
                waits.set()

        async def sleep(_wait_s: float) -> None:
            await asyncio.sleep(0)

        puller = replace(house.puller, sleep=sleep)
        first = asyncio.ensure_future(puller.pull(await house.plan("ada/eye:Q4_K_M"), tell))
        second = asyncio.ensure_future(puller.pull(await house.plan("ada/eye:Q8_0"), tell))
        await soon(waits)
        gate.set()
        done = [(await pull).model for pull in (first, second)]
        assert all(model.projector is not None and model.projector.is_file() for model in done)
        assert [fetch.name for fetch in house.hub.fetches].count("mmproj-F16.gguf") == 1
        assert (house.incoming(), await house.store.list_pulls()) == ([], [])

    async def test_the_same_model_twice_at_once_is_one_model(self, house: House) -> None:
        """The second pull waits for the first one, and finds the model up to date."""
        gate, waits = asyncio.Event(), asyncio.Event()
        house.hub.holds["tiny-Q4_K_M.gguf"] = gate
        reached = asyncio.Event()
        plans = [await house.plan(), await house.plan()]
        first = asyncio.ensure_future(house.puller.pull(plans[0], lambda _: reached.set()))
        await soon(reached)

        def tell(progress: PullProgress) -> None:
            if progress.phase == "waiting":
                waits.set()

        second = asyncio.ensure_future(house.puller.pull(plans[1], tell))
        await soon(waits)
        gate.set()
        done = [await first, await second]
        assert [(one.is_new, one.is_updated) for one in done] == [(True, False), (False, False)]
        assert len(await house.store.list_models()) == 1
        assert len(house.hub.fetches) == 1

    async def test_a_version_that_was_kept_without_a_row_is_adopted(self, house: House) -> None:
        """``rm`` without ``--files`` leaves it: pulled again, it is the same directory and nothing is fetched."""
        model = (await house.pull()).model
        await house.store.remove_model(model.name)
        fetches = len(house.hub.fetches)
        again = await house.pull()
        assert (again.is_new, again.model.paths) == (True, model.paths)
        assert len(house.hub.fetches) == fetches
        assert len(await house.store.list_versions()) == 1


class TestWhatIsNotOurs:
    async def test_files_of_the_users_own_are_never_replaced(self, house: House) -> None:
        """Where an older gglib put models, in the version's directory, and in the place of that directory."""
        model = (await house.pull()).model
        await house.store.remove_with_version(model.id)
        directory = model.paths[0].parent
        own = {
            directory / "tiny-Q4_K_M.gguf": b"mine",
            directory / "notes.txt": b"mine, too",
            house.models / "ada/tiny-GGUF/tiny-Q4_K_M.gguf": b"and this",
        }
        model.paths[0].unlink()
        for path, content in own.items():
            path.write_bytes(content)
        again = (await house.pull()).model
        assert again.paths[0].read_bytes() == house.file
        assert again.paths[0].parent == directory.with_name(f"{directory.name}-2")
        assert {path: path.read_bytes() for path in own} == own

    async def test_what_was_put_beside_a_version_stays_when_that_goes(self, house: House) -> None:
        """An update deletes the older version's files, and nothing that it did not write."""
        model = (await house.pull()).model
        mine = model.paths[0].with_name("mine.txt")
        mine.write_text("mine")
        house.changes("tiny-Q4_K_M.gguf", house.other_file)
        await house.pull()
        assert mine.read_text() == "mine"
        assert not model.paths[0].exists()

    async def test_what_was_written_into_a_version_stays_when_that_goes(self, house: House) -> None:
        """A file that was changed is the user's: an update leaves it where it is."""
        model = (await house.pull()).model
        path = model.paths[0]
        path.unlink()
        path.write_bytes(b"mine")
        house.changes("tiny-Q4_K_M.gguf", house.other_file)
        updated = await house.pull()
        assert updated.model.paths[0].read_bytes() == house.other_file
        assert path.read_bytes() == b"mine"


class TestNames:
    async def test_another_alias_is_added_to_a_model_that_is_here(self, house: House) -> None:
        """The names that it has stay."""
        model = (await house.pull()).model
        again = await house.puller.pull(await house.plan(aliases=("coder",)), ignore)
        assert (again.model.name, again.model.aliases) == (model.name, (*model.aliases, "coder"))

    async def test_another_name_is_refused(self, house: House) -> None:
        """It would be ignored: the sentence says what it is called, and how to add a name."""
        await house.pull()
        with pytest.raises(ModelExistsError, match="--alias"):
            await house.plan(name="coder")
        assert (await house.plan(name="TINY-q4_k_m")).name == "tiny-Q4_K_M"

    async def test_an_alias_that_is_set_during_an_update_stays(self, house: House) -> None:
        """The update was planned before: it adds its own names and takes none away."""
        model = (await house.pull()).model
        house.changes("tiny-Q4_K_M.gguf", house.other_file)
        plan = await house.plan(aliases=("coder",))
        await house.store.edit_model(model.name, lambda one: ModelEdit(aliases=(*one.aliases, "mine")))
        updated = await house.puller.pull(plan, ignore)
        assert updated.model.aliases == (f"{REPO}:Q4_K_M", "mine", "coder")
        assert updated.refused_names == ()

    async def test_an_alias_that_is_taken_meanwhile_is_told_and_the_pull_succeeds(self, house: House) -> None:
        """Another model got it while the files came."""
        other = (await house.pull(f"{REPO}:Q8_0")).model
        plan = await house.plan(aliases=("coder",))
        taken = asyncio.Event()
        house.hub.holds["tiny-Q4_K_M.gguf"] = taken
        reached = asyncio.Event()
        pull = asyncio.ensure_future(house.puller.pull(plan, lambda _: reached.set()))
        await soon(reached)
        await house.store.edit_model(other.name, lambda one: ModelEdit(aliases=(*one.aliases, "coder")))
        taken.set()
        pulled = await pull
        assert pulled.refused_names == ("coder",)
        assert pulled.model.aliases == (f"{REPO}:Q4_K_M",)

    async def test_an_alias_that_is_taken_before_it_begins_is_told_too(self, house: House) -> None:
        """While the user thought about the plan: what was agreed to is pulled, without the alias."""
        other = (await house.pull(f"{REPO}:Q8_0")).model
        plan = await house.plan(aliases=("coder",))
        await house.store.edit_model(other.name, lambda one: ModelEdit(aliases=(*one.aliases, "coder")))
        pulled = await house.puller.pull(plan, ignore)
        assert pulled.refused_names == ("coder",)

    async def test_what_another_pull_entered_meanwhile_gets_the_name_as_an_alias(self, house: House) -> None:
        """Two commands at once for one model, one of them with a name: it answers to both."""
        named = await house.plan(name="coder")
        model = (await house.pull()).model
        again = await house.puller.pull(named, ignore)
        assert (again.model.id, again.model.name) == (model.id, "tiny-Q4_K_M")
        assert "coder" in again.model.aliases

    async def test_a_name_that_is_taken_meanwhile_gives_way_to_another(self, house: House) -> None:
        """Gigabytes came: the model is entered under the next name that is free, and the user is told."""
        house.hub.add_repository("bob/tiny", {"tiny-Q4_K_M.gguf": house.third_file})
        plan = await house.plan("bob/tiny")
        gate, reached = asyncio.Event(), asyncio.Event()
        house.hub.holds["tiny-Q4_K_M.gguf"] = gate
        pull = asyncio.ensure_future(house.puller.pull(plan, lambda _: reached.set()))
        await soon(reached)
        other = await house.puller.pull(await house.plan(f"{REPO}:Q8_0", name="tiny-Q4_K_M"), ignore)
        gate.set()
        pulled = await pull
        assert other.model.name == "tiny-Q4_K_M"
        assert (pulled.model.name, pulled.refused_names) == ("bob/tiny:Q4_K_M", ("tiny-Q4_K_M",))

    async def test_a_file_that_was_renamed_upstream_is_the_same_model(self, house: House) -> None:
        """``owner/name:QUANT`` means what was pulled under it last: the row moves, the name stays with it."""
        old = (await house.pull()).model
        house.changes("tiny-v2-Q4_K_M.gguf", house.other_file)
        new = await house.pull()
        assert (new.model.id, new.is_updated) == (old.id, True)
        assert new.model.source.file == "tiny-v2-Q4_K_M.gguf"
        assert await house.store.resolve_model(f"{REPO}:Q4_K_M") == new.model
        assert house.files() == ["ada/tiny-GGUF/Q4_K_M/tiny-v2-Q4_K_M.gguf"]

    async def test_renamed_without_a_change_nothing_is_fetched(self, house: House) -> None:
        """The same content under another name: it is linked."""
        await house.pull()
        house.changes("tiny-v2-Q4_K_M.gguf", house.file)
        fetches = len(house.hub.fetches)
        new = (await house.pull()).model
        assert new.paths[0].name == "tiny-v2-Q4_K_M.gguf"
        assert len(house.hub.fetches) == fetches
        assert house.files() == ["ada/tiny-GGUF/Q4_K_M/tiny-v2-Q4_K_M.gguf"]

    async def test_split_into_shards_upstream_it_is_the_same_model(self, house: House) -> None:
        """And joined again, too."""
        old = (await house.pull()).model
        house.hub.add_repository(REPO, {f"Q4_K_M/{name}": one for name, one in shards(house).items()})
        split = (await house.pull()).model
        assert (split.id, len(split.paths)) == (old.id, 2)
        house.changes("tiny-Q4_K_M.gguf", house.file)
        joined = (await house.pull()).model
        assert (joined.id, len(joined.paths)) == (old.id, 1)
        assert len(await house.store.list_models()) == 1

    async def test_without_its_alias_the_quantization_says_which_model_it_is(self, house: House) -> None:
        """The user took the alias away; the file was renamed."""
        old = (await house.pull()).model
        await house.store.edit_model(old.name, lambda _: ModelEdit(aliases=()))
        house.changes("tiny-v2-Q4_K_M.gguf", house.other_file)
        assert (await house.pull()).model.id == old.id

    async def test_the_name_moves_to_what_was_pulled_under_it_last(self, house: House) -> None:
        """Two files of one quantization, each pulled by its name; then only the second one is left."""
        first = (await house.pull()).model
        both = {"tiny-Q4_K_M.gguf": house.file, "other-Q4_K_M.gguf": house.other_file}
        house.hub.add_repository(REPO, both)
        second = (await house.pull(f"{REPO}/other-Q4_K_M.gguf")).model
        assert second.id != first.id
        house.changes("other-Q4_K_M.gguf", house.other_file)
        assert (await house.pull()).model.id == second.id
        named = await house.store.resolve_model(f"{REPO}:Q4_K_M")
        assert named is not None
        assert named.id == second.id

    async def test_what_was_asked_for_is_a_name_too(self, house: House) -> None:
        """``Q4_K_M`` where there is only ``UD-Q4_K_M``: the name that was typed finds what came."""
        house.hub.add_repository("ada/ud", {"tiny-UD-Q4_K_M.gguf": house.file})
        model = (await house.pull("ada/ud:q4_k_m")).model
        assert await house.store.resolve_model("ada/ud:Q4_K_M") == model
        assert await house.store.resolve_model("ada/ud:UD-Q4_K_M") == model

    async def test_a_name_that_means_another_quantization_by_now_moves_the_row(self, house: House) -> None:
        """``Q4_K_M`` was ``UD-Q4_K_M``, for want of a plain one; the name that was typed decides."""
        house.hub.add_repository("ada/ud", {"tiny-UD-Q4_K_M.gguf": house.file})
        old = (await house.pull("ada/ud:Q4_K_M")).model
        both = {"tiny-UD-Q4_K_M.gguf": house.file, "tiny-Q4_K_M.gguf": house.other_file}
        house.hub.add_repository("ada/ud", both)
        new = (await house.pull("ada/ud:Q4_K_M")).model
        assert (new.id, new.paths[0].read_bytes()) == (old.id, house.other_file)

    @pytest.mark.parametrize("asked", [f"{REPO}:Q4_K_M", "eve/tiny-GGUF:Q4_K_M"])
    async def test_a_repository_that_moved_is_the_same_one(self, house: House, asked: str) -> None:
        """Pulled under its old name or its new one: one row, which both names find, and which both update."""
        old = (await house.pull()).model
        house.hub.rename_repository(REPO, "eve/tiny-GGUF")
        house.changes("tiny-Q4_K_M.gguf", house.other_file, repo="eve/tiny-GGUF")
        new = (await house.pull(asked)).model
        assert (new.id, new.source.repo) == (old.id, "eve/tiny-GGUF")
        for name in (f"{REPO}:Q4_K_M", "eve/tiny-GGUF:Q4_K_M"):
            assert await house.store.resolve_model(name) == new
            assert (await house.plan(name)).known == new
        assert len(await house.store.list_models()) == 1

    async def test_a_namesake_of_another_owner_is_another_model(self, house: House) -> None:
        """The same file in a repository of the same name, which the first one did not become."""
        old = (await house.pull()).model
        house.hub.add_repository("eve/tiny-GGUF", {"tiny-Q4_K_M.gguf": house.file})
        new = (await house.pull("eve/tiny-GGUF:Q4_K_M")).model
        assert new.id != old.id
        assert new.paths[0].samefile(old.paths[0])
        assert await house.store.resolve_model(f"{REPO}:Q4_K_M") == old


class TestAddresses:
    async def test_the_whole_address_is_kept(self, house: House) -> None:
        """It says what is brought up to date; its host is where the files go."""
        house.hub.add_address(URL, house.file)
        model = (await house.pull(URL)).model
        assert (model.name, model.source.url, model.source.file) == ("found", URL, "found.gguf")
        assert house.files() == ["files.invalid/found/found.gguf"]
        [version] = await house.store.list_versions()
        assert version.files[0].validator == house.hub.validators.get(URL, version.files[0].validator)
        assert version.files[0].validator is not None

    @pytest.mark.parametrize("validators", [('"a"', '"b"'), ("Mon, 1", "Tue, 2"), (None, None)])
    async def test_new_content_of_equal_size_is_an_update(
        self, house: House, validators: tuple[str | None, str | None]
    ) -> None:
        """By another ETag, by another date; where its server says nothing it is fetched again and compared."""
        assert len(house.file) == len(house.other_file)
        house.hub.add_address(URL, house.file)
        house.hub.validators[URL] = validators[0]
        old = (await house.pull(URL)).model
        house.hub.add_address(URL, house.other_file)
        house.hub.validators[URL] = validators[1]
        new = await house.pull(URL)
        assert (new.model.id, new.is_updated) == (old.id, True)
        assert new.model.paths[0].read_bytes() == house.other_file
        assert house.files() == ["files.invalid/found/found.gguf"]

    @pytest.mark.parametrize("validator", ['"a"', "Mon, 1"])
    async def test_the_same_validator_means_the_same_file(self, house: House, validator: str) -> None:
        """Nothing is fetched, and what is there is verified."""
        house.hub.add_address(URL, house.file)
        house.hub.validators[URL] = validator
        model = (await house.pull(URL)).model
        again = await house.pull(URL)
        assert (again.model.paths, again.is_updated) == (model.paths, False)
        assert len(house.hub.fetches) == 1

    async def test_without_a_validator_it_is_fetched_again_and_found_equal(self, house: House) -> None:
        """The row has one model with the same content."""
        house.hub.add_address(URL, house.file)
        house.hub.validators[URL] = None
        model = (await house.pull(URL)).model
        again = await house.pull(URL)
        assert (again.model.id, again.model.paths, again.is_updated) == (model.id, model.paths, False)
        assert len(house.hub.fetches) == 2
        assert len(await house.store.list_models()) == 1
        assert house.files() == ["files.invalid/found/found.gguf"]

    async def test_another_query_is_another_file(self, house: House) -> None:
        """With another content: a second model, under a name of its own; the first one stays."""
        for version, content in (("1", house.file), ("2", house.other_file)):
            house.hub.add_address(f"{URL}?v={version}", content)
        first = (await house.pull(f"{URL}?v=1")).model
        second = (await house.pull(f"{URL}?v=2")).model
        assert (first.name, second.name, second.id != first.id) == ("found", "found-2", True)
        assert first.paths[0].read_bytes() == house.file
        assert second.paths[0].read_bytes() == house.other_file

    @pytest.mark.parametrize("validator", ['"a"', "Mon, 1", None])
    async def test_another_signature_for_the_same_content_is_the_same_file(
        self, house: House, validator: str | None
    ) -> None:
        """A strong ETag says so at once; else it is fetched and compared. The row gets the newer address."""
        signed = [f"{URL}?Signature={number}" for number in (1, 2)]
        for url in signed:
            house.hub.add_address(url, house.file)
            house.hub.validators[url] = validator
        first = (await house.pull(signed[0])).model
        second = (await house.pull(signed[1])).model
        assert (second.id, second.source.url) == (first.id, signed[1])
        assert len(house.hub.fetches) == (1 if validator == '"a"' else 2)
        assert len(await house.store.list_models()) == 1

    async def test_what_an_earlier_pull_left_is_not_believed_without_a_validator(self, house: House) -> None:
        """A file came whole and its pull was killed; the server has another one of that size by now."""
        house.hub.add_address(URL, house.file)
        house.hub.validators[URL] = None
        plan = await house.plan(URL)
        house.site.incoming.prepare()
        house.site.incoming.path(plan.files[0].key).write_bytes(house.file)
        house.hub.add_address(URL, house.other_file)
        model = (await house.puller.pull(plan, ignore)).model
        assert model.paths[0].read_bytes() == house.other_file


def _split(house: House, seed: int) -> list[bytes]:
    import gguf

    from gglib.testing import write_tiny_gguf

    reader = gguf.GGUFReader(write_tiny_gguf(house.home / "whole.gguf", seed=seed))
    parts = []
    for index in range(2):
        path = house.home / f"part-{index}.gguf"
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
