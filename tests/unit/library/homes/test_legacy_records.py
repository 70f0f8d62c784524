"""The records of an older gglib, and other files in their place."""

from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from gglib.core.models import ModelSource
from gglib.library.homes.legacy_records import (
    LegacyPullFile,
    below_models,
    read_pull,
    read_removal,
    read_written,
)

SHA256 = "ab" * 32
SOURCE = {"origin": "hub", "repo": "ada/coder", "revision": "c0ffee", "file": "a.gguf", "sha256": SHA256}
WRITTEN = {
    "format": 1,
    "path": "ada/coder/a.gguf",
    "size_bytes": 10,
    "changed_ns": 5,
    "sha256": SHA256.upper(),
    "source": SOURCE,
}
TARGET, PROJECTOR = "/home/models/ada/coder/a.gguf", "/home/models/ada/coder/mmproj.gguf"
FILE: dict[str, Any] = {"target": TARGET, "size_bytes": 10, "sha256": SHA256}
PULL = {
    "format": 1,
    "asked": "ada/coder:Q4",
    "name": "coder",
    "aliases": ["ada/coder:Q4"],
    "source": SOURCE,
    "files": [FILE],
    "projector": None,
    "is_fetched": True,
}


def test_file_record() -> None:
    """Every field is read; hashes in lower case."""
    record = read_written(WRITTEN)
    assert record.name == PurePosixPath("ada/coder/a.gguf")
    assert (record.size_bytes, record.modified_ns, record.sha256) == (10, 5, SHA256)
    assert record.source == ModelSource(**SOURCE)


def test_pull_record() -> None:
    """Every field is read; the projector is the last of all files."""
    projector = {**FILE, "target": PROJECTOR, "sha256": None, "size_bytes": None}
    pull = read_pull({**PULL, "projector": projector})
    assert (pull.asked, pull.name, pull.aliases) == ("ada/coder:Q4", "coder", ("ada/coder:Q4",))
    assert pull.is_fetched
    assert pull.all_files == (
        LegacyPullFile(target=Path(TARGET), size_bytes=10, sha256=SHA256),
        LegacyPullFile(target=Path(PROJECTOR), size_bytes=None, sha256=None),
    )


def test_removal_record() -> None:
    """Absolute paths are read; others name nothing."""
    assert read_removal(["/home/models/a.gguf", "b.gguf", "/c\0.gguf"]) == (Path("/home/models/a.gguf"),)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"path": "../a.gguf"},
        {"path": "/a.gguf"},
        {"path": "a\0.gguf"},
        {"path": 3},
        {"size_bytes": -1},
        {"size_bytes": True},
        {"size_bytes": 1 << 63},
        {"changed_ns": "5"},
        {"sha256": "short"},
        {"source": {"origin": 3}},
        {"source": {"url": "https://models.example/a.gguf"}},
        {"source": None},
    ],
)
def test_invalid_file_record(change: dict[str, Any]) -> None:
    """Each field is checked."""
    with pytest.raises(ValueError, match="it is not a valid record of a file"):
        read_written({**WRITTEN, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"files": []},
        {"files": None},
        {"files": [{**FILE, "target": "a.gguf"}]},
        {"files": [{**FILE, "size_bytes": -1}]},
        {"files": [{**FILE, "sha256": 3}]},
        {"aliases": [1]},
        {"name": None},
        {"source": []},
    ],
)
def test_invalid_pull_record(change: dict[str, Any]) -> None:
    """Each field is checked."""
    with pytest.raises(ValueError, match="it is not a valid record of a pull"):
        read_pull({**PULL, **change})


@pytest.mark.parametrize("value", [None, {}, [1], "text", [None]])
def test_invalid_removal_record(value: object) -> None:
    """Only a list of texts is a removal record."""
    with pytest.raises(ValueError, match="it is not a valid record of a removal"):
        read_removal(value)


@pytest.mark.parametrize("value", [None, [], {}, 3, "text"])
def test_other_json_is_refused(value: object) -> None:
    """Any other JSON is a ValueError, too."""
    with pytest.raises(ValueError, match="it is not"):
        read_written(value)
    with pytest.raises(ValueError, match="it is not"):
        read_pull(value)


def test_home_is_found_from_the_end_of_a_path() -> None:
    """Every directory of that name may be the home's; the nearest to the file comes first."""
    assert below_models(Path("/models/home/models/ada/a.gguf")) == (
        (Path("/models/home"), PurePosixPath("ada/a.gguf")),
        (Path("/"), PurePosixPath("home/models/ada/a.gguf")),
    )
    assert below_models(Path("/home/a.gguf")) == ()
    assert below_models(Path("/home/models/../a.gguf")) == ()
