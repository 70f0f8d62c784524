"""Homes of an older gglib are migrated without moving a file that a model uses."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.library.homes.conftest import Open, Write
from tests.integration.library.homes.old_home import OldHome, OldModel, sha256_of

from gglib.core.hub.repository import RemoteFile
from gglib.core.models import ModelSource
from gglib.core.versions import FileIdentity, FileRole, Version
from gglib.db import SqliteCatalog
from gglib.hf.download.part_file import resumable_bytes
from gglib.library.versions.layout import incoming_key, job_key
from gglib.library.versions.ownership import identity_of

REPO = "ada/coder-GGUF"
COMMIT = "c0ffee" * 6 + "abcd"
SOURCE = ModelSource(origin="hub", repo=REPO, revision=COMMIT, file="coder-Q4_K_M.gguf")
ASKED = f"{REPO}:Q4_K_M"


def state_of(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return every file below a directory by name: inode, date and content."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            name = str(path.relative_to(directory))
            found[name] = (status.st_ino, status.st_mtime_ns, path.read_bytes())
    return found


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory."""
    return sorted(path.name for path in directory.iterdir())


def models_of(state: Mapping[str, tuple[int, int, bytes]]) -> dict[str, tuple[int, int, bytes]]:
    """Return the model files among them."""
    return {
        name: value for name, value in state.items() if name.endswith(".gguf") and ".incoming" not in name
    }


async def only_version(catalog: SqliteCatalog) -> Version:
    """Return the one version of a catalogue."""
    (version,) = await catalog.list_versions()
    return version


class TestModels:
    async def test_a_downloaded_model_becomes_a_version_where_it_lies(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """Its files are recorded by device and inode from then on and are not changed; the old records are deleted."""
        path = write(old.models / REPO / "coder-Q4_K_M.gguf")
        source = replace(SOURCE, sha256=sha256_of(path))
        old.add(OldModel("coder", (path,), source, aliases=(ASKED,)))
        old.record(path, source)
        before = models_of(state_of(old.models))
        async with open_home(old.directory) as catalog:
            (model,) = await catalog.list_models()
            version = await only_version(catalog)
        assert (model.name, model.aliases, model.paths) == ("coder", (ASKED,), (path,))
        assert (model.version_id, model.is_downloaded) == (version.id, True)
        assert version.directory is None
        assert version.source == source
        (file,) = version.files
        assert (file.path, file.role, file.name) == (path, FileRole.MODEL, "coder-Q4_K_M.gguf")
        assert (file.identity, file.sha256) == (identity_of(path), sha256_of(path))
        assert models_of(state_of(old.models)) == before
        assert names_in(old.models) == [".home", "ada"]

    async def test_a_model_without_notes_is_known_by_its_hash(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """Before there were records, only the row described a file: its content decides when it is needed."""
        path = write(old.models / REPO / "coder-Q4_K_M.gguf")
        old.add(OldModel("coder", (path,), SOURCE))
        async with open_home(old.directory) as catalog:
            (file,) = (await only_version(catalog)).files
        size = path.stat().st_size
        assert file.identity == FileIdentity(device=None, inode=None, size_bytes=size, modified_ns=None)
        assert file.sha256 == sha256_of(path)

    async def test_a_file_of_another_date_is_known_by_its_hash(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """The same after a copy that did not keep dates."""
        path = write(old.models / REPO / "coder-Q4_K_M.gguf")
        old.add(OldModel("coder", (path,), SOURCE))
        old.record(path, SOURCE)
        os.utime(path, (1, 1))
        async with open_home(old.directory) as catalog:
            (file,) = (await only_version(catalog)).files
        assert (file.identity.device, file.identity.inode) == (None, None)

    async def test_what_the_user_put_in_the_place_is_the_users(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """A file with another size than recorded belongs to no version, and its model keeps it."""
        path = write(old.models / REPO / "coder-Q4_K_M.gguf")
        old.add(OldModel("coder", (path,), SOURCE))
        old.record(path, SOURCE)
        path.write_bytes(path.read_bytes() + b"mine")
        async with open_home(old.directory) as catalog:
            (model,) = await catalog.list_models()
            assert await catalog.list_versions() == []
        assert (model.paths, model.version_id) == ((path,), None)

    async def test_a_shared_projector_is_in_both_versions(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """Two quantizations share one projector: deleting one version leaves it to the other."""
        paths = [
            write(old.models / REPO / f"coder-{name}.gguf", seed) for seed, name in enumerate(("Q4", "Q8"))
        ]
        projector = write(old.models / REPO / "mmproj-F16.gguf", 9)
        for path in paths:
            old.add(OldModel(path.stem, (path,), SOURCE, projector=projector))
            old.record(path, SOURCE)
        old.record(projector, SOURCE)
        async with open_home(old.directory) as catalog:
            versions = await catalog.list_versions()
        assert [[file.path for file in version.files] for version in versions] == [
            [paths[0], projector],
            [paths[1], projector],
        ]
        assert {version.files[1].role for version in versions} == {FileRole.PROJECTOR}

    async def test_the_users_own_models_stay_the_users(
        self, old: OldHome, open_home: Open, write: Write, tmp_path: Path
    ) -> None:
        """Files inside ``models/`` and outside."""
        for name, path in (("inside", old.models / "mine.gguf"), ("outside", tmp_path / "mine.gguf")):
            old.add(OldModel(name, (write(path),), is_downloaded=False))
        async with open_home(old.directory) as catalog:
            assert [model.version_id for model in await catalog.list_models()] == [None, None]
            assert await catalog.list_versions() == []

    async def test_a_projector_of_the_users_is_none_of_the_version(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """If a model has records, only the recorded files are gglib's."""
        path = write(old.models / REPO / "coder-Q4_K_M.gguf")
        projector = write(old.models / REPO / "mmproj-mine.gguf", 9)
        old.add(OldModel("coder", (path,), SOURCE, projector=projector))
        old.record(path, SOURCE)
        async with open_home(old.directory) as catalog:
            (model,) = await catalog.list_models()
            assert [file.path for file in (await only_version(catalog)).files] == [path]
        assert model.projector == projector

    async def test_a_revision_that_was_asked_for_is_in_the_source(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """The source was known from the directory: a pull of the newest version must not adopt it."""
        path = write(old.models / f"{REPO}@refs%2Fpr%2F1" / "coder-Q4_K_M.gguf")
        old.add(OldModel("coder", (path,), SOURCE))
        old.record(path, SOURCE)
        async with open_home(old.directory) as catalog:
            (model,) = await catalog.list_models()
            version = await only_version(catalog)
        assert model.source.asked_revision == version.source.asked_revision == "refs/pr/1"
        assert (model.version_id, model.paths) == (version.id, (path,))

    async def test_files_without_a_row_become_a_version_without_one(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """Leftovers of ``rm`` without ``--files`` become one version per source: a pull adopts it, prune frees it."""
        shards = [write(old.models / REPO / f"big-0000{number}-of-00002.gguf", number) for number in (1, 2)]
        projector = write(old.models / REPO / "mmproj-F16.gguf", 9)
        other = write(old.models / "host" / "other.gguf", 5)
        for path in (projector, *reversed(shards)):
            old.record(path, SOURCE)
        old.record(other, ModelSource(origin="url", file="other.gguf"))
        gone = write(old.models / "gone.gguf", 6)
        old.record(gone, SOURCE)
        gone.unlink()
        async with open_home(old.directory) as catalog:
            found = {tuple(file.path for file in version.files) for version in await catalog.list_versions()}
        assert found == {(*shards, projector), (other,)}

    async def test_an_older_catalogue_that_is_put_back_is_carried_over_again(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """The records are gone by then: the row's hash decides whether the file is gglib's."""
        path = write(old.models / REPO / "coder-Q4_K_M.gguf")
        old.add(OldModel("coder", (path,), SOURCE))
        old.record(path, SOURCE)
        backup = (old.directory / "gglib.db").read_bytes()
        async with open_home(old.directory):
            pass
        for name in ("gglib.db-wal", "gglib.db-shm"):
            (old.directory / name).unlink(missing_ok=True)
        (old.directory / "gglib.db").write_bytes(backup)
        async with open_home(old.directory) as catalog:
            (model,) = await catalog.list_models()
            version = await only_version(catalog)
        assert model.version_id == version.id
        assert version.files[0].sha256 == sha256_of(path)


class TestPulls:
    async def test_a_part_goes_on_where_it_was(self, old: OldHome, open_home: Open) -> None:
        """Part and record are renamed to the key of the content, and the received bytes stay valid."""
        content = b"GGUF" + b"x" * 100_000
        sha256 = hashlib.sha256(content).hexdigest()
        target = old.models / REPO / "coder-Q4_K_M.gguf"
        remote = RemoteFile(
            name="coder-Q4_K_M.gguf", repo=REPO, revision=COMMIT, size_bytes=len(content), sha256=sha256
        )
        old.part(target, content, 60_000, remote=remote)
        inode = target.with_name(target.name + ".part").stat().st_ino
        old.pull("coder", ASKED, replace(SOURCE, sha256=sha256), [(target, content)], aliases=(ASKED,))
        async with open_home(old.directory) as catalog:
            (job,) = await catalog.list_pulls()
        key = f"s-{sha256[:32]}"
        incoming = old.models / ".incoming" / key
        assert job.key == job_key(REPO, choice="Q4_K_M")
        assert (job.asked, job.name, job.aliases) == (ASKED, "coder", (ASKED,))
        assert [(file.name, file.key, file.sha256) for file in job.files] == [
            ("coder-Q4_K_M.gguf", key, sha256)
        ]
        assert not job.is_fetched
        assert resumable_bytes(remote, incoming) == 60_000
        assert incoming.with_name(key + ".part").stat().st_ino == inode
        assert not (old.models / ".pulls").exists()
        assert names_in(target.parent) == []

    async def test_a_shard_that_was_whole_is_not_fetched_again(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """The file is renamed once its content matches the source's hash."""
        first = write(old.models / REPO / "big-00001-of-00002.gguf")
        content, sha256 = first.read_bytes(), sha256_of(first)
        second = old.models / REPO / "big-00002-of-00002.gguf"
        old.pull("big", f"{REPO}/big-00001-of-00002.gguf", SOURCE, [(first, content), (second, b"y" * 1000)])
        async with open_home(old.directory) as catalog:
            (job,) = await catalog.list_pulls()
            assert await catalog.list_versions() == []
        assert sha256_of(old.models / ".incoming" / f"s-{sha256[:32]}") == sha256
        assert not first.exists()
        assert not job.is_fetched

    async def test_the_users_file_at_the_target_stays(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """A file of the right size with other content, and a part without a record of gglib's, are kept."""
        target = write(old.models / REPO / "coder-Q4_K_M.gguf", 7)
        part = target.with_name(target.name + ".part")
        part.write_bytes(b"mine")
        before = state_of(old.models / "ada")
        old.pull("coder", ASKED, SOURCE, [(target, b"z" * target.stat().st_size)])
        async with open_home(old.directory) as catalog:
            (job,) = await catalog.list_pulls()
            assert await catalog.list_versions() == []
        assert job.name == "coder"
        assert state_of(old.models / "ada") == before

    async def test_a_pull_that_had_come_whole_is_entered(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """Killed between its last file and its row: the same open publishes the version and adds the row."""
        target = write(old.models / REPO / "coder-Q4_K_M.gguf")
        content, sha256 = target.read_bytes(), sha256_of(target)
        source = replace(SOURCE, sha256=sha256)
        old.record(target, source)
        old.pull("coder", ASKED, source, [(target, content)], aliases=(ASKED,), is_fetched=True)
        async with open_home(old.directory) as catalog:
            (model,) = await catalog.list_models()
            version = await only_version(catalog)
            assert await catalog.list_pulls() == []
        assert (model.name, model.aliases, model.version_id) == ("coder", (ASKED,), version.id)
        assert version.directory is not None
        assert model.paths[0].parent == version.directory
        assert sha256_of(model.paths[0]) == sha256
        assert not target.exists()

    async def test_a_pull_whose_row_was_there_has_ended(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """Killed between its row and its record: only the record is deleted."""
        target = write(old.models / REPO / "coder-Q4_K_M.gguf")
        content = target.read_bytes()
        source = replace(SOURCE, sha256=sha256_of(target))
        old.add(OldModel("coder", (target,), source))
        old.record(target, source)
        old.pull("coder", ASKED, source, [(target, content)], is_fetched=True)
        async with open_home(old.directory) as catalog:
            assert await catalog.list_pulls() == []
            (model,) = await catalog.list_models()
        assert model.paths == (target,)
        assert model.version_id is not None

    async def test_an_update_cut_in_the_middle_goes_on(
        self, old: OldHome, open_home: Open, write: Write, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Its model keeps both files in place, and both are gglib's: one by its record, the new one by its hash."""
        shards = [old.models / REPO / f"big-0000{number}-of-00002.gguf" for number in (1, 2)]
        for number, shard in enumerate(shards):
            write(shard, number)
            old.record(shard, SOURCE)
        old.add(OldModel("big", tuple(shards), SOURCE))
        write(shards[0], 11)
        new = shards[0].read_bytes()
        other = write(old.directory / "scratch.gguf", 12).read_bytes()
        old.pull("big", f"{REPO}/big-00001-of-00002.gguf", SOURCE, [(shards[0], new), (shards[1], other)])
        before = models_of(state_of(old.models))
        async with open_home(old.directory) as catalog:
            (model,) = await catalog.list_models()
            (job,) = await catalog.list_pulls()
            version = await only_version(catalog)
        assert (model.paths, model.version_id) == (tuple(shards), version.id)
        assert job.updates == model.id
        (message,) = caplog.messages
        assert message == (
            "'big' has files of two versions, because an update was interrupted: "
            f"'gglib pull {REPO}/big-00001-of-00002.gguf' completes it."
        )
        assert [file.identity for file in version.files] == [identity_of(path) for path in shards]
        assert version.files[0].sha256 == hashlib.sha256(new).hexdigest()
        assert models_of(state_of(old.models)) == before

    async def test_an_update_cut_in_a_home_that_was_moved_since(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """The pull is recognized as the model's update, so a removal ends it, though its row has the older path."""
        path = write(old.models / REPO / "coder-Q4_K_M.gguf")
        old.add(OldModel("coder", (path,), SOURCE, aliases=(ASKED,)))
        old.record(path, SOURCE)
        old.pull("coder", ASKED, SOURCE, [(path, write(old.directory / "scratch.gguf", 12).read_bytes())])
        moved = old.directory.rename(old.directory.with_name("moved"))
        async with open_home(moved) as catalog:
            (model,) = await catalog.list_models()
            (job,) = await catalog.list_pulls()
        assert model.paths == (moved / "models" / REPO / path.name,)
        assert job.updates == model.id

    async def test_an_update_that_had_come_whole_is_entered(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """The row moves to the new version; the old files are deleted, since they were gglib's."""
        path = write(old.models / REPO / "coder-Q4_K_M.gguf")
        old.add(OldModel("coder", (path,), SOURCE, aliases=(ASKED,)))
        write(path, 5)
        source = replace(SOURCE, revision="beef", sha256=sha256_of(path))
        old.record(path, source)
        old.pull("coder", ASKED, source, [(path, path.read_bytes())], is_fetched=True)
        sha256 = sha256_of(path)
        async with open_home(old.directory) as catalog:
            (model,) = await catalog.list_models()
            version = await only_version(catalog)
        assert model.version_id == version.id
        assert version.directory is not None
        assert model.hashes == (sha256,)
        assert sha256_of(model.paths[0]) == sha256
        assert not path.exists()

    async def test_a_pull_that_an_older_gglib_runs_is_left_alone(self, old: OldHome, open_home: Open) -> None:
        """It is left alone while its lock is held; the next open after that migrates it."""
        import fcntl

        content = b"x" * 1000
        target = old.models / REPO / "coder-Q4_K_M.gguf"
        remote = RemoteFile(
            name=target.name,
            repo=REPO,
            revision=COMMIT,
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        old.part(target, content, 600, remote=remote)
        record = old.pull("coder", ASKED, SOURCE, [(target, content)])
        before = state_of(old.models / "ada")
        with target.with_name(target.name + ".part.note").open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            async with open_home(old.directory) as catalog:
                assert await catalog.list_pulls() == []
        assert state_of(old.models / "ada") == before
        assert record.exists()
        async with open_home(old.directory) as catalog:
            assert [job.name for job in await catalog.list_pulls()] == ["coder"]
        assert not record.exists()

    async def test_a_pull_from_an_address_goes_on(self, old: OldHome, open_home: Open) -> None:
        """The requested URL becomes the source's address; the part is identified by its server's ETag."""
        url = "https://models.example/files/coder.gguf?token=secret"
        target = old.models / "models.example" / "coder.gguf"
        content = b"x" * 1000
        remote = RemoteFile(name="coder.gguf", url=url, size_bytes=len(content))
        old.part(target, content, 600, remote=remote, etag='"v1"')
        source = ModelSource(origin="url", file="coder.gguf")
        old.pull("coder", url, source, [(target, content)], has_hashes=False)
        async with open_home(old.directory) as catalog:
            (job,) = await catalog.list_pulls()
        assert (job.key, job.source.url, job.asked) == (job_key(url), url, url)
        now = replace(remote, validator='"v1"')
        assert [file.key for file in job.files] == [incoming_key(now, job.key)]
        assert resumable_bytes(now, old.models / ".incoming" / job.files[0].key) == 600

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 9}', '{"format": 1, "files": []}'])
    async def test_what_is_no_note_is_left(
        self, old: OldHome, open_home: Open, write: Write, content: str
    ) -> None:
        """The rest of the home is migrated, and an unreadable record deletes nothing."""
        path = write(old.models / REPO / "coder-Q4_K_M.gguf")
        old.add(OldModel("coder", (path,), SOURCE))
        records = [old.models / name / "0123.json" for name in (".written", ".pulls", ".removals")]
        for record in records:
            record.parent.mkdir()
            record.write_text(content)
        async with open_home(old.directory) as catalog:
            assert (await only_version(catalog)).files[0].path == path
        assert all(record.read_text() == content for record in records if record.exists())

    async def test_a_note_of_files_outside_is_left(
        self, old: OldHome, open_home: Open, tmp_path: Path
    ) -> None:
        """Neither the file nor the record is changed."""
        target = tmp_path / "mine.gguf"
        target.write_bytes(b"mine")
        record = old.pull("coder", ASKED, SOURCE, [(target, b"mine")], is_fetched=True)
        async with open_home(old.directory) as catalog:
            assert await catalog.list_pulls() == []
        assert target.read_bytes() == b"mine"
        assert record.exists()


class TestRemovals:
    async def test_a_removal_is_ended(self, old: OldHome, open_home: Open, write: Write) -> None:
        """Killed between row and files: recorded files and files unchanged since then are deleted."""
        recorded = write(old.models / REPO / "coder-Q4_K_M.gguf")
        old.record(recorded, SOURCE)
        unrecorded = write(old.models / REPO / "coder-Q8_0.gguf", 1)
        old.removal(recorded, unrecorded)
        async with open_home(old.directory) as catalog:
            assert await catalog.list_versions() == []
        assert not recorded.exists()
        assert not unrecorded.exists()
        assert not (old.models / ".removals").exists()

    async def test_what_the_user_put_there_since_stays(
        self, old: OldHome, open_home: Open, write: Write
    ) -> None:
        """A file that differs from its record, or came after the removal, is the user's."""
        recorded = write(old.models / REPO / "coder-Q4_K_M.gguf")
        old.record(recorded, SOURCE)
        unrecorded = old.models / REPO / "coder-Q8_0.gguf"
        record = old.removal(recorded, unrecorded)
        os.utime(record, (1, 1))
        recorded.write_bytes(b"mine")
        unrecorded.write_bytes(b"mine")
        async with open_home(old.directory) as catalog:
            assert await catalog.list_versions() == []
        assert (recorded.read_bytes(), unrecorded.read_bytes()) == (b"mine", b"mine")

    async def test_what_a_model_has_stays(self, old: OldHome, open_home: Open, write: Write) -> None:
        """A removal that was killed before its row was deleted deletes nothing."""
        path = write(old.models / REPO / "coder-Q4_K_M.gguf")
        old.add(OldModel("coder", (path,), SOURCE))
        old.removal(path)
        async with open_home(old.directory) as catalog:
            (model,) = await catalog.list_models()
        assert path.exists()
        assert model.version_id is not None
