"""Files that are added to the catalogue: which are gglib's own again, and which stay the user's for ever."""

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
    from tests.integration.library.conftest import House
else:
    House = object

Writer = Callable[..., Path]


async def add(house: House, path: Path, **request: object) -> ModelSummary:
    """Do what ``gglib add`` does."""
    wanted = AddRequest(path=path, **request)  # type: ignore[arg-type]
    return await add_model(wanted, house.catalog, read_model, house.models_dir)


def version_of(house: House, *files: Path) -> NewVersion:
    """Return a version that gglib wrote, in the directory of its first file."""
    own = tuple(
        house.wrote(file, FileRole.PROJECTOR if "mmproj" in file.name else FileRole.MODEL) for file in files
    )
    source = replace(house.version("unused", {"x": b""}).source, file=files[0].name)
    shutil.rmtree(house.models_dir / "unused")
    return NewVersion(directory=files[0].parent, source=source, files=own)


class TestAVersionWithoutAModel:
    async def test_it_is_gglibs_again(self, house: House, write: Writer) -> None:
        """rm, add, rm --files: the model has the version again, with where it came from, and its files go."""
        path = write(house.models_dir / "ada/Q4-1/a.gguf")
        version = version_of(house, path)
        known = await house.catalog.add_version(version)
        model = await add(house, path, name="again")
        assert (model.version_id, model.is_downloaded, model.source) == (known.id, True, version.source)
        assert model.hashes == (version.files[0].sha256,)
        await house.remove("again")
        assert house.left() == []

    @pytest.mark.parametrize("way", ["link", "directory"])
    async def test_by_whatever_path(self, house: House, write: Writer, tmp_path: Path, way: str) -> None:
        """Through a link to it or to its directory it is the same file: the row gets the path of the version."""
        path = write(house.models_dir / "ada/Q4-1/a.gguf")
        await house.catalog.add_version(version_of(house, path))
        (tmp_path / "link.gguf").symlink_to(path)
        (tmp_path / "way").symlink_to(house.models_dir, target_is_directory=True)
        model = await add(house, tmp_path / {"link": "link.gguf", "directory": "way/ada/Q4-1/a.gguf"}[way])
        assert (model.paths, model.is_downloaded) == ((path,), True)

    async def test_one_that_waits_to_be_deleted(self, house: House, write: Writer) -> None:
        """It is kept from then on."""
        path = write(house.models_dir / "ada/Q4-1/a.gguf")
        await house.pull(version_of(house, path))
        descriptor = os.open(path.parent, os.O_RDONLY)
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_SH)
        await house.remove()
        os.close(descriptor)
        model = await add(house, path)
        assert not (await house.known(model)).is_retired
        assert model.is_downloaded

    async def test_a_taken_alias_is_refused(self, house: House, write: Writer) -> None:
        """As for any other file: nothing is added, and the version stays without a model."""
        await add(house, write(house.models_dir / "mine.gguf"), name="mine")
        path = write(house.models_dir / "ada/Q4-1/a.gguf", 2)
        await house.catalog.add_version(version_of(house, path))
        with pytest.raises(ModelExistsError):
            await add(house, path, aliases=("MINE",))
        assert [model.name for model in await house.catalog.list_models()] == ["mine"]

    async def test_a_file_that_was_changed_is_the_users(self, house: House, write: Writer) -> None:
        """What is in the place of a file that gglib wrote is not gglib's, whatever the record says."""
        path = write(house.models_dir / "ada/Q4-1/a.gguf")
        await house.catalog.add_version(version_of(house, path))
        path.unlink()
        write(path, 2)
        model = await add(house, path, name="coder")
        assert (model.version_id, model.is_downloaded) == (None, False)
        assert (await house.remove()).deleted == ()
        assert path.exists()


class TestTheUsersFiles:
    async def test_beside_the_files_of_a_version(self, house: House, write: Writer) -> None:
        """A file that the user put into the directory of a version stays the user's, through all that follows."""
        await house.pull(house.version("ada/Q4-1"))
        mine = write(house.models_dir / "ada/Q4-1/mine.gguf")
        model = await add(house, mine, name="mine", has_projector=False)
        assert (model.version_id, model.is_downloaded) == (None, False)
        await house.remove("coder")
        assert (await house.remove("mine")).deleted == ()
        await house.prune()
        assert house.left() == ["ada/Q4-1/mine.gguf"]

    async def test_below_models(self, house: House, write: Writer) -> None:
        """The same of one that lies anywhere below ``models/``."""
        mine = write(house.models_dir / "ada/mine.gguf")
        model = await add(house, mine)
        assert model.version_id is None
        await house.prune()
        assert mine.exists()

    async def test_a_copy_of_a_file_that_gglib_wrote(self, house: House, write: Writer) -> None:
        """The same content at another place is another file."""
        path = write(house.models_dir / "ada/Q4-1/a.gguf")
        await house.catalog.add_version(version_of(house, path))
        copy = house.models_dir / "copy.gguf"
        shutil.copy2(path, copy)
        assert (await add(house, copy)).version_id is None

    @pytest.mark.parametrize("name", ["s-" + "ab" * 16, "mine.gguf"])
    async def test_where_pulls_keep_files(self, house: House, write: Writer, name: str) -> None:
        """It is refused in a sentence: what lies there is moved and deleted by pulls."""
        path = write(house.models_dir / ".incoming" / name)
        with pytest.raises(
            InvalidGgufError, match="where pulls keep files until they are whole; copy it to another"
        ):
            await add(house, path)
        assert await house.catalog.list_models() == []
