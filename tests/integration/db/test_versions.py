"""Versions, pulls and paths in the SQLite catalogue: what is specific to SQLite."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import CatalogError, ModelExistsError
from gglib.core.models import GgufFacts, ModelSource, NewModel
from gglib.core.versions import (
    FileIdentity,
    FileRole,
    IncomingFile,
    NewVersion,
    OwnFile,
    PullJob,
)
from gglib.db import SqliteCatalog, rows, version_rows

Maker = Callable[..., NewModel]

SOURCE = ModelSource(origin="hub", repo="ada/coder-GGUF", file="coder.gguf")


def new_version(home: Path, label: str, *, name: str = "coder.gguf") -> NewVersion:
    """Return a version of one file."""
    directory = home / "models" / label
    identity = FileIdentity(device=1, inode=2, size_bytes=3, modified_ns=4)
    file = OwnFile(path=directory / name, role=FileRole.MODEL, name=name, identity=identity, sha256=None)
    return NewVersion(directory=directory, source=SOURCE, files=(file,))


def model_of(version: NewVersion, name: str = "coder") -> NewModel:
    """Return the model of a version's file."""
    return NewModel(
        name=name,
        paths=(version.files[0].path,),
        size_bytes=3,
        facts=GgufFacts(architecture="llama"),
        source=SOURCE,
        projector=version.files[0].path.with_name("mmproj.gguf"),
    )


def new_pull(home: Path, key: str = "k") -> PullJob:
    """Return a pull with a directory."""
    file = IncomingFile(name="coder.gguf", role=FileRole.MODEL, key="s-1", size_bytes=3, sha256=None)
    return PullJob(
        key=key,
        asked="ada/coder-GGUF",
        name="coder",
        aliases=(),
        source=SOURCE,
        files=(file,),
        directory=home / "models" / "new",
    )


def execute(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Run a statement as another program."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


def move(source: Path, target: Path) -> None:
    """Rename a directory."""
    source.rename(target)


class TestPaths:
    async def test_a_home_that_moved(self, path: Path, tmp_path: Path) -> None:
        """After a move every path of the database is below the new home, and no stored path has the old name."""
        home = path.parent
        version = new_version(home, "Q4", name=os.fsdecode(b"\xff.gguf"))
        async with SqliteCatalog(path) as catalog:
            await catalog.install_version(version, model_of(version))
            await catalog.begin_pull(new_pull(home))
        dump = "".join(closing_dump(path))
        assert str(home) not in dump
        moved = tmp_path / "moved"
        move(home, moved)
        async with SqliteCatalog(moved / "gglib.db") as catalog:
            (model,) = await catalog.list_models()
            (known,) = await catalog.list_versions()
            (job,) = await catalog.list_pulls()
            spec = await catalog.resolve_for_launch("coder")
        file = moved / "models" / "Q4" / os.fsdecode(b"\xff.gguf")
        assert (model.paths, model.projector) == ((file,), file.with_name("mmproj.gguf"))
        assert (known.directory, known.files[0].path, known.files[0].name) == (
            file.parent,
            file,
            os.fsdecode(b"\xff.gguf"),
        )
        assert job.directory == moved / "models" / "new"
        assert spec is not None
        assert (spec.path, spec.hold_path) == (file, file.parent)

    async def test_a_home_of_its_own(self, path: Path, tmp_path: Path) -> None:
        """The home may be a different directory than the database's."""
        async with SqliteCatalog(path, home=tmp_path) as catalog:
            version = new_version(tmp_path, "Q4")
            await catalog.install_version(version, model_of(version))
        assert execute(path, "SELECT path FROM model_paths") == [("models/Q4/coder.gguf",)]

    async def test_one_file_has_one_row_in_both_spellings(self, path: Path, new_model: Maker) -> None:
        """A file stored with an absolute path, before the home was moved, is also found by its relative path."""
        file = path.parent / "models" / "a.gguf"
        async with SqliteCatalog(path, home=Path("/elsewhere")) as catalog:
            await catalog.add_model(new_model("a", paths=(file,)))
        async with SqliteCatalog(path) as catalog:
            with pytest.raises(ModelExistsError):
                await catalog.add_model(new_model("b", paths=(file,)))
            await catalog.add_model(new_model("c", paths=(file.with_name("c.gguf"),)))
        assert execute(path, "SELECT path FROM model_paths ORDER BY model_id") == [
            (str(file),),
            ("models/c.gguf",),
        ]

    async def test_files_are_found_in_both_spellings(self, path: Path) -> None:
        """Updates of a version's files by path apply to files stored with absolute paths, too."""
        version = new_version(path.parent, "Q4")
        file = version.files[0].path
        async with SqliteCatalog(path, home=Path("/elsewhere")) as catalog:
            added = await catalog.add_version(version)
        async with SqliteCatalog(path) as catalog:
            assert await catalog.add_version(version) == added
            known = FileIdentity(device=7, inode=8, size_bytes=9, modified_ns=None)
            await catalog.update_identities({file: known})
            assert (await catalog.list_versions())[0].files[0].identity == known
            await catalog.forget_files(added.id, [file])
            assert await catalog.list_versions() == []

    async def test_a_link_to_the_home(self, path: Path, tmp_path: Path, new_model: Maker) -> None:
        """A file below the home is the same file with and without the link to the home in its path."""
        link = tmp_path / "link"
        link.symlink_to(path.parent)
        async with SqliteCatalog(link / "gglib.db") as catalog:
            added = await catalog.add_model(new_model("a", paths=(path.parent / "a.gguf",)))
            assert added.paths == (link / "a.gguf",)
            with pytest.raises(ModelExistsError):
                await catalog.add_model(new_model("b", paths=(link / "a.gguf",)))
        async with SqliteCatalog(path) as catalog:
            assert (await catalog.list_models())[0].paths == (path.parent / "a.gguf",)


def closing_dump(path: Path) -> list[str]:
    """Return the database as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


class TestOneTransaction:
    @pytest.mark.parametrize(
        ("module", "function"),
        [
            (version_rows, "insert_version"),
            (rows, "replace_content"),
            (rows, "replace_aliases"),
            (version_rows, "delete_pulls"),
            (version_rows, "load_version"),
            (version_rows, "retire_if_unused"),
            (version_rows, "find_version"),
        ],
    )
    async def test_an_update_happens_whole_or_not(
        self,
        path: Path,
        catalog: SqliteCatalog,
        monkeypatch: pytest.MonkeyPatch,
        module: object,
        function: str,
    ) -> None:
        """An interruption after any step of recording a version leaves all tables unchanged."""
        old, new = new_version(path.parent, "old"), new_version(path.parent, "new")
        installed = await catalog.install_version(old, model_of(old))
        await catalog.begin_pull(new_pull(path.parent))
        before = closing_dump(path)
        done = getattr(module, function)

        def cut(*arguments: object, **keywords: object) -> None:
            done(*arguments, **keywords)
            raise sqlite3.OperationalError("cut off")

        monkeypatch.setattr(module, function, cut)
        model = replace(model_of(new), aliases=("c",))
        with pytest.raises(CatalogError, match="cut off"):
            await catalog.install_version(new, model, updates=installed.model.id, job_key="k")
        assert closing_dump(path) == before
        monkeypatch.undo()
        again = await catalog.install_version(new, model, updates=installed.model.id, job_key="k")
        assert again.replaced == replace(installed.version, is_retired=True)

    async def test_a_removal_happens_whole_or_not(
        self, path: Path, catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A removal that cannot retire the version keeps the model."""
        version = new_version(path.parent, "Q4")
        installed = await catalog.install_version(version, model_of(version))

        def cut(*_: object) -> None:
            raise sqlite3.OperationalError("cut off")

        monkeypatch.setattr(version_rows, "retire_if_unused", cut)
        with pytest.raises(CatalogError):
            await catalog.remove_with_version(installed.model.id)
        assert await catalog.list_models() == [installed.model]


async def read_all(catalog: SqliteCatalog) -> None:
    """Read every table."""
    await catalog.list_models()
    await catalog.list_versions()
    await catalog.list_pulls()


class TestReading:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE versions SET directory = 'models/other'",
            "UPDATE version_files SET path = 'models/other.gguf'",
            "INSERT INTO versions (source, created_at) VALUES ('{}', 0)",
            "DELETE FROM version_files",
            "DELETE FROM versions",
        ],
    )
    async def test_every_change_of_a_version_is_read(
        self, path: Path, catalog: SqliteCatalog, statement: str
    ) -> None:
        """A change of versions or their files makes readers reload, whichever program made it."""
        version = new_version(path.parent, "Q4")
        await catalog.install_version(version, model_of(version))
        before = await catalog.list_models()
        execute(path, statement)
        assert (await catalog.list_models())[0] is not before[0]

    async def test_pulls_and_the_home_cost_readers_little(self, path: Path, catalog: SqliteCatalog) -> None:
        """When another process records progress of a pull, readers keep the identical models."""
        version = new_version(path.parent, "Q4")
        await catalog.install_version(version, model_of(version))
        before = await catalog.list_models()
        async with SqliteCatalog(path) as other:
            await other.begin_pull(new_pull(path.parent))
            await other.end_pull("k")
        assert (await catalog.list_models())[0] is before[0]

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM names",
            "DELETE FROM models",  # without foreign keys, as a torn restore leaves it
            "UPDATE version_files SET version_id = 99",
            "UPDATE pulls SET job = '{}'",
            "UPDATE pulls SET job = '[]'",
            "UPDATE pulls SET job = '{'",
            "UPDATE versions SET source = '[1]'",
            "UPDATE version_files SET role = 'x'",
        ],
    )
    async def test_tables_that_contradict_one_another(
        self, path: Path, catalog: SqliteCatalog, statement: str
    ) -> None:
        """A database with inconsistent rows is a CatalogError, not a crash."""
        version = new_version(path.parent, "Q4")
        await catalog.install_version(version, model_of(version))
        await catalog.begin_pull(new_pull(path.parent))
        execute(path, statement)
        with pytest.raises(CatalogError):
            await read_all(catalog)

    async def test_a_newer_gglibs_fields_are_passed_over(self, path: Path, catalog: SqliteCatalog) -> None:
        """Fields that a newer version adds to a record are ignored."""
        job = new_pull(path.parent)
        await catalog.begin_pull(job)
        execute(
            path, "UPDATE pulls SET job = json_set(job, '$.later', 1, '$.source.later', 1, '$.files[0].x', 1)"
        )
        assert await catalog.list_pulls() == [job]
