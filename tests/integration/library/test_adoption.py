"""Files that are added to the catalogue: those that gglib adopts again, and those that remain the user's."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gglib.core.errors import InvalidGgufError, ModelExistsError
from gglib.core.models import ModelSummary
from gglib.core.versions import FileRole, NewVersion
from gglib.gguf import read_model
from gglib.library.add import AddRequest, add_model

if TYPE_CHECKING:
    from tests.integration.library.conftest import LibraryHarness
else:
    LibraryHarness = object

Writer = Callable[..., Path]


async def add(harness: LibraryHarness, path: Path, **request: object) -> ModelSummary:
    """Add a file as ``gglib add`` does."""
    wanted = AddRequest(path=path, **request)  # type: ignore[arg-type]
    return await add_model(wanted, harness.catalog, read_model, harness.models_dir)


def version_of(harness: LibraryHarness, *files: Path) -> NewVersion:
    """Return a version that gglib wrote, in the directory of its first file."""
    own = tuple(
        harness.wrote(file, FileRole.PROJECTOR if "mmproj" in file.name else FileRole.MODEL) for file in files
    )
    source = replace(harness.version("unused", {"x": b""}).source, file=files[0].name)
    shutil.rmtree(harness.models_dir / "unused")
    return NewVersion(directory=files[0].parent, source=source, files=own)


class TestAVersionWithoutAModel:
    async def test_it_is_gglibs_again(self, harness: LibraryHarness, write: Writer) -> None:
        """rm, add, rm --files: the model gets its version and source again, and its files are deleted."""
        path = write(harness.models_dir / "ada/Q4-1/a.gguf")
        version = version_of(harness, path)
        known = await harness.catalog.add_version(version)
        model = await add(harness, path, name="again")
        assert (model.version_id, model.is_downloaded, model.source) == (known.id, True, version.source)
        assert model.hashes == (version.files[0].sha256,)
        await harness.remove("again")
        assert harness.left() == []

    @pytest.mark.parametrize("way", ["link", "directory"])
    async def test_by_whatever_path(
        self, harness: LibraryHarness, write: Writer, tmp_path: Path, way: str
    ) -> None:
        """A link to the file or to its directory leads to the same file: the row gets the path in the version."""
        path = write(harness.models_dir / "ada/Q4-1/a.gguf")
        await harness.catalog.add_version(version_of(harness, path))
        (tmp_path / "link.gguf").symlink_to(path)
        (tmp_path / "way").symlink_to(harness.models_dir, target_is_directory=True)
        model = await add(harness, tmp_path / {"link": "link.gguf", "directory": "way/ada/Q4-1/a.gguf"}[way])
        assert (model.paths, model.is_downloaded) == ((path,), True)

    async def test_one_that_waits_to_be_deleted(self, harness: LibraryHarness, write: Writer) -> None:
        """It is kept from then on."""
        path = write(harness.models_dir / "ada/Q4-1/a.gguf")
        await harness.pull(version_of(harness, path))
        descriptor = os.open(path.parent, os.O_RDONLY)
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_SH)
        await harness.remove()
        os.close(descriptor)
        model = await add(harness, path)
        assert not (await harness.known(model)).is_retired
        assert model.is_downloaded

    async def test_a_taken_alias_is_refused(self, harness: LibraryHarness, write: Writer) -> None:
        """The same as for any other file: nothing is added, and the version stays without a model."""
        await add(harness, write(harness.models_dir / "mine.gguf"), name="mine")
        path = write(harness.models_dir / "ada/Q4-1/a.gguf", 2)
        await harness.catalog.add_version(version_of(harness, path))
        with pytest.raises(ModelExistsError):
            await add(harness, path, aliases=("MINE",))
        assert [model.name for model in await harness.catalog.list_models()] == ["mine"]

    async def test_a_file_that_was_changed_is_the_users(self, harness: LibraryHarness, write: Writer) -> None:
        """A file that replaced one of gglib's is the user's, whatever the record says."""
        path = write(harness.models_dir / "ada/Q4-1/a.gguf")
        await harness.catalog.add_version(version_of(harness, path))
        path.unlink()
        write(path, 2)
        model = await add(harness, path, name="coder")
        assert (model.version_id, model.is_downloaded) == (None, False)
        assert (await harness.remove()).deleted == ()
        assert path.exists()


class TestTheUsersFiles:
    async def test_beside_the_files_of_a_version(self, harness: LibraryHarness, write: Writer) -> None:
        """A user's file in the directory of a version remains the user's through all later operations."""
        await harness.pull(harness.version("ada/Q4-1"))
        mine = write(harness.models_dir / "ada/Q4-1/mine.gguf")
        model = await add(harness, mine, name="mine", has_projector=False)
        assert (model.version_id, model.is_downloaded) == (None, False)
        await harness.remove("coder")
        assert (await harness.remove("mine")).deleted == ()
        await harness.prune()
        assert harness.left() == ["ada/Q4-1/mine.gguf"]

    async def test_below_models(self, harness: LibraryHarness, write: Writer) -> None:
        """The same holds for a file anywhere below ``models/``."""
        mine = write(harness.models_dir / "ada/mine.gguf")
        model = await add(harness, mine)
        assert model.version_id is None
        await harness.prune()
        assert mine.exists()

    async def test_a_copy_of_a_file_that_gglib_wrote(self, harness: LibraryHarness, write: Writer) -> None:
        """The same content at another path is another file."""
        path = write(harness.models_dir / "ada/Q4-1/a.gguf")
        await harness.catalog.add_version(version_of(harness, path))
        copy = harness.models_dir / "copy.gguf"
        shutil.copy2(path, copy)
        assert (await add(harness, copy)).version_id is None

    @pytest.mark.parametrize("name", ["s-" + "ab" * 16, "mine.gguf"])
    async def test_where_pulls_keep_files(self, harness: LibraryHarness, write: Writer, name: str) -> None:
        """The message explains the refusal: pulls move and delete files in that directory."""
        path = write(harness.models_dir / ".incoming" / name)
        with pytest.raises(InvalidGgufError, match="where pulls keep incomplete files; copy it to another"):
            await add(harness, path)
        assert await harness.catalog.list_models() == []
