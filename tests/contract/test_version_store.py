"""The contract of every version store: the same tests for SQLite and for the fake."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from gglib.core.errors import InvalidSettingError, ModelExistsError
from gglib.core.models import GgufFacts, ModelEdit, ModelSettings, ModelSource, NewModel
from gglib.core.ports.catalog import ModelStorePort
from gglib.core.ports.versions import VersionStorePort
from gglib.core.versions import (
    FileIdentity,
    FileRole,
    HomeIdentity,
    IncomingFile,
    NewVersion,
    OwnFile,
    PullJob,
)
from gglib.db import SqliteCatalog
from gglib.testing import FakeCatalog


class Store(ModelStorePort, VersionStorePort, Protocol):
    """Both ports in one."""


@pytest.fixture(params=["sqlite", "fake"])
async def store(request: pytest.FixtureRequest, home: Path) -> AsyncIterator[Store]:
    """Return an empty catalogue."""
    if request.param == "fake":
        yield FakeCatalog()
        return
    async with SqliteCatalog(home / "gglib.db", clock=lambda: 1_700_000_000.9) as opened:
        yield opened


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home's directory."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


IDENTITY = FileIdentity(device=2**64 - 1, inode=2**63, size_bytes=7, modified_ns=1_700_000_000_123_456_789)
SOURCE = ModelSource(
    origin="hub",
    repo="ada/coder-GGUF",
    revision="abc",
    asked_revision="v1",
    url="https://example.org/coder.gguf?key=1",
    file="coder.gguf",
    sha256="aa" * 32,
)


def own_file(path: Path, *, role: FileRole = FileRole.MODEL, identity: FileIdentity = IDENTITY) -> OwnFile:
    """Return a file that gglib wrote."""
    return OwnFile(
        path=path, role=role, name=path.name, identity=identity, sha256="aa" * 32, validator='"v1"'
    )


def new_version(home: Path, label: str, *, shards: int = 1, projector: bool = False) -> NewVersion:
    """Return a version with its own directory."""
    directory = home / "models" / "ada" / "coder" / label
    files = [own_file(directory / f"coder-{shard}.gguf") for shard in range(shards)]
    if projector:
        files.append(own_file(directory / "mmproj.gguf", role=FileRole.PROJECTOR))
    return NewVersion(directory=directory, source=SOURCE, files=tuple(files))


def model_of(version: NewVersion, name: str = "coder", *, aliases: tuple[str, ...] = ()) -> NewModel:
    """Return the model of a version's files."""
    projectors = [file.path for file in version.files if file.role is FileRole.PROJECTOR]
    return NewModel(
        name=name,
        aliases=aliases,
        paths=tuple(file.path for file in version.files if file.role is FileRole.MODEL),
        size_bytes=7,
        facts=GgufFacts(architecture="llama"),
        source=version.source,
        projector=projectors[0] if projectors else None,
    )


def pull_job(key: str, *, name: str = "coder", directory: Path | None = None) -> PullJob:
    """Return an unfinished pull."""
    return PullJob(
        key=key,
        asked="ada/coder-GGUF:Q4",
        name=name,
        aliases=("c", "Ä"),
        source=SOURCE,
        files=(
            IncomingFile(
                name="a.gguf", role=FileRole.MODEL, key="s-1", size_bytes=None, sha256=None, validator="x"
            ),
            IncomingFile(name="b.gguf", role=FileRole.PROJECTOR, key="s-2", size_bytes=5, sha256="bb" * 32),
        ),
        updates=3,
        is_fetched=True,
        directory=directory,
        started_at=1_700_000_000,
    )


class TestEntering:
    async def test_a_new_model_has_its_version(self, store: Store, home: Path) -> None:
        """Version and row are entered together; every field is read back, and the row has its version."""
        version = new_version(home, "Q4-1", shards=2, projector=True)
        installed = await store.install_version(version, model_of(version, aliases=("c",)))
        assert (installed.replaced, installed.refused_aliases) == (None, ())
        assert await store.list_versions() == [installed.version]
        assert (installed.version.directory, installed.version.source) == (version.directory, SOURCE)
        assert (installed.version.files, installed.version.is_retired) == (version.files, False)
        assert await store.list_models() == [installed.model]
        assert (installed.model.version_id, installed.model.is_downloaded) == (installed.version.id, True)
        assert (installed.model.source, installed.model.aliases) == (SOURCE, ("c",))
        assert installed.model.projector == version.files[2].path

    async def test_engines_hold_its_directory(self, store: Store, home: Path) -> None:
        """A launch gets the path to lock: the version's directory, else its first file; none without a version."""
        version = new_version(home, "Q4-1")
        await store.install_version(version, model_of(version))
        loose = NewVersion(directory=None, source=SOURCE, files=(own_file(home / "models" / "old.gguf"),))
        await store.install_version(loose, model_of(loose, "old"))
        await store.add_model(replace(model_of(version, "mine"), paths=(Path("/elsewhere/m.gguf"),)))
        specs = [await store.resolve_for_launch(name) for name in ("coder", "old", "mine")]
        assert [spec and spec.hold_path for spec in specs] == [
            version.directory,
            loose.files[0].path,
            None,
        ]

    async def test_an_update_moves_the_row(self, store: Store, home: Path) -> None:
        """The row keeps the user's settings, gets the new files at once, and the old version is retired."""
        old, new = new_version(home, "Q4-1", shards=2), new_version(home, "Q4-2")
        first = await store.install_version(old, model_of(old, aliases=("c",)))
        await store.edit_model("coder", lambda _: ModelEdit(tags=("t",), settings=ModelSettings(context=512)))
        await store.note_use({first.model.id: 5})
        await store.begin_pull(pull_job("k"))
        again = await store.install_version(
            new, model_of(new, "never looked at", aliases=("d",)), updates=first.model.id, job_key="k"
        )
        assert again.model.id == first.model.id
        assert (again.model.name, again.model.aliases) == ("coder", ("c", "d"))
        assert (again.model.tags, again.model.settings.context, again.model.last_used_at) == (("t",), 512, 5)
        assert again.model.added_at == first.model.added_at
        assert again.model.paths == (new.files[0].path,)
        assert again.model.version_id == again.version.id
        assert again.replaced == replace(first.version, is_retired=True)
        assert await store.list_versions() == [again.replaced, again.version]
        assert await store.list_pulls() == []
        spec = await store.resolve_for_launch("coder")
        assert spec is not None
        assert (spec.path, spec.hold_path) == (new.files[0].path, new.directory)

    async def test_aliases_of_other_models_are_refused(self, store: Store, home: Path) -> None:
        """An alias that was taken meanwhile is refused and reported; the pull succeeds, new or an update."""
        await store.add_model(replace(model_of(new_version(home, "x")), name="Other", aliases=("taken",)))
        old, new = new_version(home, "Q4-1"), new_version(home, "Q4-2")
        aliases = ("TAKEN", "c", "C", "coder", "other")
        first = await store.install_version(old, model_of(old, aliases=aliases))
        assert (first.model.aliases, first.refused_aliases) == (("c",), ("TAKEN", "other"))
        again = await store.install_version(
            new, model_of(new, aliases=("Taken", "coder", "d")), updates=first.model.id
        )
        assert (again.model.aliases, again.refused_aliases) == (("c", "d"), ("Taken",))

    async def test_an_alias_moves_with_the_version(self, store: Store, home: Path) -> None:
        """A named alias of another model is moved with the row; if that fails, it stays."""
        old, new = new_version(home, "Q4-1"), new_version(home, "Q4-2")
        first = (await store.install_version(old, model_of(old, aliases=("a/b:Q4", "mine")))).model
        moved = [(first.id, "A/B:q4"), (first.id, "coder"), (first.id, "unknown"), (99, "mine")]
        with pytest.raises(ModelExistsError):
            await store.install_version(new, model_of(new, "MINE"), moved_aliases=moved)
        assert await store.list_models() == [first]
        installed = await store.install_version(
            new, model_of(new, "second", aliases=("a/b:Q4",)), moved_aliases=moved
        )
        assert (installed.model.aliases, installed.refused_aliases) == (("a/b:Q4",), ())
        assert await store.list_models() == [replace(first, aliases=("mine",)), installed.model]

    async def test_update_of_a_removed_model_is_a_new_model(self, store: Store, home: Path) -> None:
        """An update of a model that was removed meanwhile enters a new row."""
        version = new_version(home, "Q4-1")
        installed = await store.install_version(version, model_of(version), updates=99)
        assert (installed.model.name, installed.replaced) == ("coder", None)

    async def test_a_taken_name_or_file_changes_nothing(self, store: Store, home: Path) -> None:
        """A name or a file of another model is refused, and then neither version nor pull has changed."""
        version = new_version(home, "Q4-1")
        other = await store.add_model(model_of(version, "coder"))
        await store.begin_pull(pull_job("k"))
        away = new_version(home, "Q4-2")
        for refused in (model_of(away, "CODER"), model_of(version, "b")):
            brought = away if refused.paths == model_of(away).paths else version
            with pytest.raises(ModelExistsError):
                await store.install_version(brought, refused, job_key="k")
        assert (await store.list_versions(), await store.list_models()) == ([], [other])
        assert len(await store.list_pulls()) == 1

    async def test_files_of_two_versions_are_never_mixed(self, store: Store, home: Path) -> None:
        """A row whose shards are not the version's, all and in order, is a mistake that changes nothing."""
        version = new_version(home, "Q4-1", shards=2)
        model = model_of(version)
        for paths in (model.paths[:1], model.paths[::-1], (model.paths[0], Path("/elsewhere"))):
            with pytest.raises(ValueError, match="version"):
                await store.install_version(version, replace(model, paths=paths))
        with pytest.raises(ValueError, match="file"):
            await store.add_version(replace(version, files=()))
        assert await store.list_versions() == []

    async def test_the_same_version_is_stored_once(self, store: Store, home: Path) -> None:
        """A known version keeps its id: by its directory, or by its files; it is no longer retired."""
        version = new_version(home, "Q4-1")
        first = await store.install_version(version, model_of(version))
        removed = await store.remove_with_version(first.model.id)
        assert removed == (first.model, first.version)
        assert [known.is_retired for known in await store.list_versions()] == [True]
        newer = replace(
            version, files=(own_file(version.files[0].path, identity=replace(IDENTITY, inode=1)),)
        )
        again = await store.install_version(newer, model_of(newer))
        assert again.version == replace(first.version, files=newer.files)
        assert await store.list_versions() == [again.version]
        same = await store.install_version(newer, model_of(newer), updates=again.model.id)
        assert (same.version, same.replaced) == (again.version, None)

    async def test_an_invalid_name_is_refused(self, store: Store, home: Path) -> None:
        """A model that SQLite's catalogue refuses is refused here, too."""
        if isinstance(store, FakeCatalog):
            pytest.skip("the fake judges no names")
        version = new_version(home, "Q4-1")
        with pytest.raises(InvalidSettingError):
            await store.install_version(version, model_of(version, "7"))
        with pytest.raises(InvalidSettingError):
            await store.install_version(version, model_of(version, aliases=(" ",)))


class TestKnowing:
    async def test_a_version_without_a_model(self, store: Store, home: Path) -> None:
        """A version found on the disk is stored once, in homes of older gglibs also by its files alone."""
        version = new_version(home, "Q4-1")
        added = await store.add_version(version)
        assert await store.add_version(version) == added
        shared = own_file(home / "models" / "mmproj.gguf", role=FileRole.PROJECTOR)
        files = [own_file(home / "models" / f"{name}.gguf") for name in "ab"]
        loose = [NewVersion(directory=None, source=SOURCE, files=(file, shared)) for file in files]
        known = [await store.add_version(version) for version in loose]
        assert [await store.add_version(version) for version in loose] == known
        assert await store.list_versions() == [added, *known]
        assert [version.hold_path for version in known] == [file.path for file in files]

    async def test_a_row_gets_the_version_of_its_files(self, store: Store, home: Path) -> None:
        """A row that has a version's files already is assigned it, and keeps it against a later assignment."""
        version = new_version(home, "Q4-1")
        model = await store.add_model(replace(model_of(version), is_downloaded=True))
        assert (model.version_id, model.is_downloaded) == (None, True)
        added = await store.add_version(version)
        await store.retire_unused([added.id])
        changed = await store.assign_version(model.id, added.id)
        assert changed == replace(model, version_id=added.id)
        assert await store.list_versions() == [added]
        assert await store.assign_version(99, added.id) is None

    async def test_no_row_gets_a_version_of_other_files(self, store: Store, home: Path) -> None:
        """A row with other files, or with a version, is unchanged; also if the version does not exist."""
        old, new = new_version(home, "Q4-1"), new_version(home, "Q4-2")
        installed = await store.install_version(new, model_of(new))
        added = await store.add_version(old)
        assert await store.assign_version(installed.model.id, added.id) == installed.model
        mine = await store.add_model(replace(model_of(old, "mine"), paths=(Path("/elsewhere/m.gguf"),)))
        assert await store.assign_version(mine.id, added.id) == mine
        assert await store.assign_version(mine.id, 99) == mine

    async def test_other_paths_have_no_version(self, store: Store, home: Path) -> None:
        """A row that is read again keeps its version; a row with other files has none."""
        version = new_version(home, "Q4-1")
        installed = await store.install_version(version, model_of(version))
        model = replace(model_of(version), description="read again")
        kept = await store.replace_model("coder", model)
        assert kept is not None
        assert (kept.version_id, kept.is_downloaded, kept.description) == (
            installed.version.id,
            True,
            "read again",
        )
        other = await store.replace_model(
            "coder", replace(model, paths=(Path("/elsewhere/m.gguf"),), is_downloaded=True)
        )
        assert other is not None
        assert (other.version_id, other.is_downloaded) == (None, False)
        assert [known.is_retired for known in await store.list_versions()] == [False]

    async def test_replacement_from_an_older_version_changes_nothing(self, store: Store, home: Path) -> None:
        """A replacement that was computed from the row of an older version leaves the newer one."""
        old, new = new_version(home, "Q4-1"), new_version(home, "Q4-2")
        seen = (await store.install_version(old, model_of(old))).model
        moved = (await store.install_version(new, model_of(new), updates=seen.id)).model
        assert await store.replace_model("coder", model_of(old), seen=seen) is None
        assert await store.list_models() == [moved]
        again = await store.replace_model("coder", model_of(new), seen=moved)
        assert again == moved


class TestLeaving:
    async def test_removing_leaves_the_version_known(self, store: Store, home: Path) -> None:
        """A removal of the row alone retires nothing: the files stay, and can be adopted or pruned."""
        version = new_version(home, "Q4-1")
        installed = await store.install_version(version, model_of(version))
        await store.remove_model("coder")
        assert await store.list_versions() == [installed.version]
        assert await store.retire_unused([installed.version.id, 99]) == [
            replace(installed.version, is_retired=True)
        ]
        assert await store.list_versions() == [replace(installed.version, is_retired=True)]

    async def test_a_version_with_a_model_is_not_retired(self, store: Store, home: Path) -> None:
        """Only versions without a model are retired and returned."""
        used, unused = new_version(home, "Q4-1"), new_version(home, "Q4-2")
        installed = await store.install_version(used, model_of(used))
        added = await store.add_version(unused)
        assert await store.retire_unused([added.id, installed.version.id]) == [
            replace(added, is_retired=True)
        ]
        assert [known.is_retired for known in await store.list_versions()] == [False, True]

    async def test_removing_with_the_version(self, store: Store, home: Path) -> None:
        """Row and version are removed together; a user's own model has no version, a missing model is None."""
        version = new_version(home, "Q4-1")
        installed = await store.install_version(version, model_of(version))
        mine = await store.add_model(replace(model_of(version, "mine"), paths=(Path("/elsewhere/m.gguf"),)))
        assert await store.remove_with_version(installed.model.id) == (installed.model, installed.version)
        assert await store.remove_with_version(installed.model.id) is None
        assert await store.remove_with_version(mine.id) == (mine, None)
        assert await store.list_models() == []
        assert [known.is_retired for known in await store.list_versions()] == [True]

    async def test_files_are_forgotten_one_by_one(self, store: Store, home: Path) -> None:
        """A version exists as long as one of its files; a second deletion has no effect."""
        version = new_version(home, "Q4-1", shards=2)
        added = await store.add_version(version)
        await store.retire_unused([added.id])
        await store.forget_files(added.id, [version.files[0].path, Path("/elsewhere")])
        (left,) = await store.list_versions()
        assert (left.id, left.files) == (added.id, version.files[1:])
        for _ in range(2):
            await store.forget_files(added.id, [version.files[1].path])
            assert await store.list_versions() == []
        assert (await store.add_version(version)).id > added.id

    async def test_a_model_without_its_version_is_the_users(self, store: Store, home: Path) -> None:
        """After the last record of its files is deleted, a row no longer counts as downloaded."""
        version = new_version(home, "Q4-1")
        installed = await store.install_version(version, model_of(version))
        await store.forget_files(installed.version.id, [version.files[0].path])
        (model,) = await store.list_models()
        assert (model.version_id, model.is_downloaded) == (None, False)
        spec = await store.resolve_for_launch("coder")
        assert spec is not None
        assert spec.hold_path is None


class TestIdentities:
    async def test_identities_are_updated(self, store: Store, home: Path) -> None:
        """The identity of a file is updated in every version that has it, and for no other file."""
        shared = own_file(home / "models" / "mmproj.gguf", role=FileRole.PROJECTOR)
        files = [own_file(home / "models" / f"{name}.gguf") for name in "ab"]
        for file in files:
            await store.add_version(NewVersion(directory=None, source=SOURCE, files=(file, shared)))
        known = FileIdentity(device=1, inode=2, size_bytes=8, modified_ns=-1)
        await store.update_identities({shared.path: known, Path("/elsewhere"): known})
        await store.update_identities({})
        listed = await store.list_versions()
        assert [version.files[1].identity for version in listed] == [known, known]
        assert [version.files[0] for version in listed] == files

    async def test_the_home_is_recorded(self, store: Store, home: Path) -> None:
        """The same home again changes nothing else; another place forgets inodes, devices and pulls."""
        assert await store.read_home() is None
        version = new_version(home, "Q4-1")
        installed = await store.install_version(version, model_of(version))
        await store.begin_pull(pull_job("k"))
        first = HomeIdentity(id="a", device=2**64 - 1, inode=2**63, models_device=3, models_inode=4)
        await store.record_home(first, resets_identities=False)
        assert await store.read_home() == first
        assert (await store.list_versions(), len(await store.list_pulls())) == ([installed.version], 1)
        second = HomeIdentity(id="b", device=1, inode=2, models_device=3, models_inode=4)
        await store.record_home(second, resets_identities=True)
        assert await store.read_home() == second
        (version_now,) = await store.list_versions()
        assert [file.identity for file in version_now.files] == [replace(IDENTITY, device=None, inode=None)]
        assert await store.list_pulls() == []
        assert await store.list_models() == [installed.model]

    async def test_a_moved_home_keeps_its_pulls(self, store: Store, home: Path) -> None:
        """In the same transaction: killed before or after it, the pulls are present."""
        added = await store.add_version(new_version(home, "Q4-1"))
        await store.begin_pull(pull_job("k"))
        moved = HomeIdentity(id="b", device=1, inode=2, models_device=3, models_inode=4)
        await store.record_home(moved, resets_identities=True, keeps_pulls=True)
        (version_now,) = await store.list_versions()
        assert version_now.files[0].identity == replace(added.files[0].identity, device=None, inode=None)
        assert await store.list_pulls() == [pull_job("k")]


class TestPulls:
    async def test_pulls_are_read_back_by_name(self, store: Store, home: Path) -> None:
        """A planned pull is read back field by field, by name, until it ends."""
        directory = home / "models" / os.fsdecode(b"q\xff")
        jobs = [
            pull_job("1", name="b"),
            pull_job("2", name="a", directory=directory),
            pull_job("0", name="b", directory=Path("/elsewhere/d")),
        ]
        for job in jobs:
            await store.begin_pull(job)
        assert await store.list_pulls() == [jobs[1], jobs[2], jobs[0]]
        for _ in range(2):
            await store.end_pull("2")
        assert await store.list_pulls() == [jobs[2], jobs[0]]

    async def test_a_key_has_one_record(self, store: Store) -> None:
        """A resumed pull replaces its earlier record."""
        await store.begin_pull(pull_job("k"))
        later = replace(pull_job("k"), is_fetched=False, updates=None)
        await store.begin_pull(later)
        assert await store.list_pulls() == [later]


class TestSources:
    async def test_the_requested_target_is_read_back(self, store: Store, home: Path) -> None:
        """The requested revision, and the whole address, are stored for a row without a version."""
        version = new_version(home, "x")
        added = await store.add_model(model_of(version))
        assert (added.source, added.version_id) == (SOURCE, None)
        other = ModelSource(url="https://example.org/b.gguf")
        changed = await store.replace_model("coder", replace(model_of(version), source=other))
        assert changed is not None
        assert changed.source == other
