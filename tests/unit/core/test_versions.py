"""Versions of models, and how their files are compared."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.models import ModelSource
from gglib.core.versions import FileIdentity, FileRole, NewVersion, OwnFile

IDENTITY = FileIdentity(device=1, inode=2, size_bytes=3, modified_ns=4)


@pytest.mark.parametrize(
    ("identity", "is_complete"),
    [
        (IDENTITY, True),
        (FileIdentity(device=0, inode=0, size_bytes=0, modified_ns=0), True),
        (replace(IDENTITY, device=None), False),
        (replace(IDENTITY, inode=None), False),
        (replace(IDENTITY, modified_ns=None), False),
    ],
)
def test_stat_is_enough_to_compare_a_file_of_which_all_is_known(
    identity: FileIdentity, *, is_complete: bool
) -> None:
    """In a copied home device and inode are not valid any more: the content has to be read."""
    assert identity.is_complete is is_complete


def test_a_version_is_locked_by_its_directory() -> None:
    """A version that shares its directory with other files is locked by its first file."""
    first, second = (
        OwnFile(path=Path(f"/m/{name}"), role=FileRole.MODEL, name=name, identity=IDENTITY, sha256=None)
        for name in ("1.gguf", "2.gguf")
    )
    version = NewVersion(directory=Path("/m"), source=ModelSource(), files=(first, second))
    assert version.hold_path == Path("/m")
    assert replace(version, directory=None).hold_path == first.path
