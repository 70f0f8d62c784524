"""A manifest is enough to find a version again, and its fields are validated."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.library.versions.world import names_in

from gglib.core.models import ModelSource
from gglib.core.versions import FileIdentity, FileRole, NewVersion, OwnFile
from gglib.library.versions.layout import MANIFEST_NAME
from gglib.library.versions.manifest import (
    Manifest,
    moved,
    read_manifest,
    write_manifest,
)


def manifest_of(directory: Path) -> Manifest:
    """Return a manifest of two files, one of them in a sub-folder."""
    device = directory.stat().st_dev
    return Manifest(
        source=ModelSource(origin="hub", repo="owner/name", revision="c0ffee", file="Q4/m.gguf"),
        files=(
            OwnFile(
                path=directory / "m.gguf",
                role=FileRole.MODEL,
                name="Q4/m.gguf",
                identity=FileIdentity(device=device, inode=7, size_bytes=3, modified_ns=-1),
                sha256="ab" * 32,
                validator='"etag"',
            ),
            OwnFile(
                path=directory / "2" / "M.gguf",
                role=FileRole.PROJECTOR,
                name="M.gguf",
                identity=FileIdentity(device=device, inode=8, size_bytes=0, modified_ns=1 << 62),
                sha256=None,
            ),
        ),
        name="m",
        aliases=("owner/name:Q4",),
        asked="owner/name:Q4",
        job_key="0" * 16,
        started_at=5,
    )


def test_manifest_round_trip(tmp_path: Path) -> None:
    """Source, names, files, hashes, validators and identities are all present, and only the owner may read them."""
    manifest = manifest_of(tmp_path)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert stat.S_IMODE((tmp_path / MANIFEST_NAME).stat().st_mode) == 0o400
    assert names_in(tmp_path) == [MANIFEST_NAME]
    assert manifest.version(tmp_path) == NewVersion(
        directory=tmp_path, source=manifest.source, files=manifest.files
    )


def test_manifest_moves_with_its_directory(tmp_path: Path) -> None:
    """It has no path of its own, so a directory that is renamed needs no other manifest."""
    old, new = tmp_path / "draft", tmp_path / "final"
    old.mkdir()
    manifest = manifest_of(old)
    write_manifest(old, manifest)
    assert str(tmp_path) not in (old / MANIFEST_NAME).read_text()
    old.rename(new)
    assert read_manifest(new) == moved(manifest, old, new)
    assert moved(manifest, old, new).files[1].path == new / "2" / "M.gguf"


def test_present_manifest_is_not_replaced(tmp_path: Path) -> None:
    """A user's file of that name stays, and no draft is left beside it."""
    (tmp_path / MANIFEST_NAME).write_text("mine")
    with pytest.raises(FileExistsError):
        write_manifest(tmp_path, manifest_of(tmp_path))
    assert (tmp_path / MANIFEST_NAME).read_text() == "mine"
    assert names_in(tmp_path) == [MANIFEST_NAME]


def test_manifest_is_never_larger_than_the_read_limit(tmp_path: Path) -> None:
    """One of more than 1 MiB is refused instead of being written and skipped."""
    with pytest.raises(OSError, match="too large"):
        write_manifest(tmp_path, replace(manifest_of(tmp_path), aliases=("x" * (1 << 20),)))
    assert names_in(tmp_path) == []


def test_without_a_manifest_there_is_no_version(tmp_path: Path) -> None:
    """A directory without one, a file, and a missing path have none."""
    (tmp_path / "file").write_text("x")
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "file") is None
    assert read_manifest(tmp_path / "nothing") is None


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that sets a nested value: keys, then the value."""

    def change(fields: dict[str, Any]) -> None:
        at: Any = fields
        for key in path[:-2]:
            at = at[key]
        at[path[-2]] = path[-1]

    return change


_BAD: dict[str, Callable[[dict[str, Any]], Any]] = {
    "format": _set("format", 2),
    "no files": _set("files", []),
    "files no list": _set("files", {}),
    "file no object": _set("files", 0, "x"),
    "aliases no list": _set("aliases", "ab"),
    "alias no text": _set("aliases", [1]),
    "name": _set("name", None),
    "asked": _set("asked", 1),
    "job": _set("job", 1),
    "started": _set("started_at", "1"),
    "source": _set("source", None),
    "source field": _set("source", {"other": "x"}),
    "source value": _set("source", "repo", 1),
    "role": _set("files", 0, "role", "shard"),
    "projector first": _set("files", 0, "role", "projector"),
    "size no number": _set("files", 0, "size_bytes", "3"),
    "size no integer": _set("files", 0, "size_bytes", 3.0),
    "size true": _set("files", 0, "size_bytes", True),
    "size negative": _set("files", 0, "size_bytes", -1),
    "size huge": _set("files", 0, "size_bytes", 1 << 63),
    "inode": _set("files", 0, "inode", None),
    "date": _set("files", 0, "modified_ns", "x"),
    "hash": _set("files", 0, "sha256", "ab"),
    "hash type": _set("files", 0, "sha256", 1),
    "validator": _set("files", 0, "validator", 1),
    "path above": _set("files", 0, "path", "../x"),
    "path absolute": _set("files", 0, "path", "/etc/passwd"),
    "path own": _set("files", 0, "path", MANIFEST_NAME),
    "path NUL": _set("files", 0, "path", "a\0b"),
    "path twice": _set("files", 0, "path", "2/M.gguf"),
    "missing": lambda fields: fields.pop("source"),
    "missing in file": lambda fields: fields["files"][1].pop("inode"),
}


@pytest.mark.parametrize("case", _BAD)
def test_manifest_with_wrong_fields_is_skipped(tmp_path: Path, case: str) -> None:
    """Every field has its type, and every file is inside the directory."""
    write_manifest(tmp_path, manifest_of(tmp_path))
    path = tmp_path / MANIFEST_NAME
    fields = json.loads(path.read_text())
    _BAD[case](fields)
    path.unlink()
    path.write_text(json.dumps(fields))
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b" " * (1 << 20) + b"1"]
)
def test_invalid_content_is_skipped(tmp_path: Path, content: bytes) -> None:
    """Torn, foreign, deep and large content is skipped."""
    (tmp_path / MANIFEST_NAME).write_bytes(content)
    assert read_manifest(tmp_path) is None


def test_only_a_regular_file_is_a_manifest(tmp_path: Path) -> None:
    """A FIFO, a directory and a link are skipped without waiting."""
    whole = tmp_path / "whole"
    whole.mkdir()
    write_manifest(whole, manifest_of(whole))
    for kind in ("fifo", "directory", "link"):
        directory = tmp_path / kind
        directory.mkdir()
        if kind == "fifo":
            os.mkfifo(directory / MANIFEST_NAME)
        elif kind == "directory":
            (directory / MANIFEST_NAME).mkdir()
        else:
            (directory / MANIFEST_NAME).symlink_to(whole / MANIFEST_NAME)
        assert read_manifest(directory) is None
