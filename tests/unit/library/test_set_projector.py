"""A row that is read again while an update moves it keeps the update."""

import asyncio
from pathlib import Path

import pytest

from gglib.core.errors import ModelNotFoundError
from gglib.core.models import ModelSource, NewModel
from gglib.core.versions import FileIdentity, FileRole, NewVersion, OwnFile
from gglib.gguf import read_model
from gglib.library.add import AddRequest, ModelFiles, add_model
from gglib.library.set_projector import read_again, set_projector
from gglib.testing import FakeCatalog, write_tiny_gguf, write_tiny_projector


def version_of(path: Path) -> NewVersion:
    """Return a version of one file."""
    identity = FileIdentity(device=1, inode=2, size_bytes=3, modified_ns=4)
    file = OwnFile(path=path, role=FileRole.MODEL, name=path.name, identity=identity, sha256=None)
    return NewVersion(directory=path.parent, source=ModelSource(), files=(file,))


class Moving:
    """Reads headers; during the first read of the model's header, an update moves the row to another file."""

    def __init__(self, store: FakeCatalog, old: Path, new: Path) -> None:
        self.store, self.old, self.new = store, old, new
        self.has_moved = False

    def __call__(self, path: Path) -> ModelFiles:
        """Return the header, after the update."""
        if path == self.old and not self.has_moved:
            self.has_moved = True
            asyncio.run(self._move())
        return read_model(path)

    async def _move(self) -> None:
        files = read_model(self.new)
        model = NewModel(name="m", paths=files.paths, size_bytes=files.size_bytes, facts=files.facts)
        await self.store.install_version(version_of(self.new), model, updates=1)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return an old file, a newer one and a projector."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    return (
        write_tiny_gguf(tmp_path / "old" / "m.gguf"),
        write_tiny_gguf(tmp_path / "new" / "m.gguf"),
        write_tiny_projector(tmp_path / "mmproj.gguf"),
    )


async def test_projector_is_set_on_the_newer_version(files: tuple[Path, Path, Path]) -> None:
    """An update during the read of headers is kept, and the projector is the newer file's."""
    old, new, projector = files
    store = FakeCatalog()
    model = await add_model(AddRequest(path=old, name="m"), store, read_model)
    changed = await set_projector(model, projector, store, Moving(store, old, new))
    assert await store.list_models() == [changed]
    assert (changed.paths, changed.projector, changed.version_id) == ((new,), projector, 1)
    assert changed.capabilities.vision


async def test_header_of_the_newer_version_is_read(files: tuple[Path, Path, Path]) -> None:
    """Reading a header again does not restore the older version's file."""
    old, new, _ = files
    store = FakeCatalog()
    model = await add_model(AddRequest(path=old, name="m"), store, read_model)
    changed = await read_again(model, store, Moving(store, old, new))
    assert (changed.paths, changed.version_id) == ((new,), 1)


async def test_removed_model_is_not_found(files: tuple[Path, Path, Path]) -> None:
    """A model that was removed meanwhile is an error."""
    store = FakeCatalog()
    model = await add_model(AddRequest(path=files[0], name="m"), store, read_model)
    await store.remove_model("m")
    with pytest.raises(ModelNotFoundError):
        await read_again(model, store, read_model)
