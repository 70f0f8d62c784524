"""The record of an installed engine."""

import json
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from gglib.engine_store.record import (
    ArchiveRecord,
    EngineRecord,
    decode,
    encode,
    is_engine_name,
    program_path,
)

RECORD = EngineRecord(
    name="b11462-vulkan",
    kind="vulkan",
    version="0.6.0 (build 11462)",
    program="files/llama-b11462/llama-server",
    devices=("Vulkan0",),
    archives=(ArchiveRecord(name="a.tar.gz", sha256="ab" * 32, source="https://host.example/a.tar.gz"),),
    size_bytes=12,
    installed_at="2026-11-30T02:03:04Z",
)


def test_a_record_survives_the_disk() -> None:
    """With and without what a program may not say."""
    silent = replace(RECORD, version=None, devices=None)
    for record in (RECORD, silent):
        assert decode(json.loads(encode(record)), RECORD.name) == record
    assert program_path(RECORD) == PurePosixPath("files/llama-b11462/llama-server")


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"name": "other"},
        {"name": 1},
        {"program": "../../bin/sh"},
        {"program": "/bin/sh"},
        {"devices": [1]},
        {"devices": 1},
        {"archives": [{}]},
        {"archives": None},
        {"size_bytes": "x"},
        {"installed_at": None},
    ],
)
def test_a_damaged_record_is_no_engine(change: dict[str, object]) -> None:
    """Least of all one whose program is elsewhere."""
    content = {**json.loads(encode(RECORD)), **change}
    with pytest.raises(ValueError, match=r"^it is"):
        decode(content, RECORD.name)


@pytest.mark.parametrize("content", [None, [], "text", {}])
def test_other_json_is_no_record(content: object) -> None:
    """Of any type."""
    with pytest.raises(ValueError, match="not a record of this version"):
        decode(content, RECORD.name)


def test_names_are_names_of_directories_and_no_other_words() -> None:
    """``embedded`` is an engine already."""
    assert all(map(is_engine_name, ("b11462-cuda-13.4", "My_Engine", "1", "a+b")))
    for name in ("", "embedded", ".staging", "-x", "a/b", "a b", "x.", "é", "a\n", "x" * 101):
        assert not is_engine_name(name)
