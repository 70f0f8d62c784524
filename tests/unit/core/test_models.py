"""Models, their files and the states of a file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gglib.core.models import (
    FileMark,
    GgufFacts,
    ModelCapabilities,
    ModelLaunchSpec,
    ModelSettings,
    ModelSource,
    ModelSummary,
    RunningTarget,
    is_same_content,
)

SHARDS = (Path("/m/1.gguf"), Path("/m/2.gguf"))
PROJECTOR = Path("/m/mmproj.gguf")
MODEL = ModelSummary(id=1, name="m", paths=SHARDS, size_bytes=10, hashes=("a", None), version_id=3)
MARK = FileMark(size_bytes=100, modified_ns=5, changed_ns=6, inode=7, device=8)


def test_capabilities_have_names() -> None:
    """Only those that the model has."""
    assert ModelCapabilities().names() == ()
    assert ModelCapabilities(rerank=True, chat=True).names() == ("chat", "rerank")


def test_a_model_with_its_projector_can_see() -> None:
    """All else is as the header of the model says."""
    facts = GgufFacts(architecture="llama", capabilities=ModelCapabilities(chat=True, tools=True))
    seeing = facts.with_vision()
    assert seeing.capabilities == ModelCapabilities(chat=True, tools=True, vision=True)
    assert replace(seeing, capabilities=facts.capabilities) == facts


def test_the_projector_comes_after_the_shards() -> None:
    """In the catalogue and for a launch."""
    assert MODEL.all_files == SHARDS
    assert replace(MODEL, projector=PROJECTOR).all_files == (*SHARDS, PROJECTOR)
    spec = ModelLaunchSpec(model_id=1, model_name="m", path=SHARDS[0], paths=SHARDS)
    assert spec.files == SHARDS
    assert replace(spec, projector=PROJECTOR).files == (*SHARDS, PROJECTOR)


def test_a_launch_without_a_list_of_shards_has_its_one_file() -> None:
    """An embedder may know the path alone."""
    spec = ModelLaunchSpec(model_id=1, model_name="m", path=SHARDS[0])
    assert spec.files == (SHARDS[0],)
    assert replace(spec, projector=PROJECTOR).files == (SHARDS[0], PROJECTOR)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": 2},
        {"paths": SHARDS[:1]},
        {"projector": PROJECTOR},
        {"size_bytes": 11},
        {"hashes": ("a", "b")},
        {"projector_sha256": "c"},
        {"source": ModelSource(repo="ada/m")},
        {"version_id": 4},
    ],
    ids="".join,
)
def test_other_files_hashes_or_sources_are_other_content(fields: dict[str, Any]) -> None:
    """What was verified of one of them is not known of the other."""
    assert not is_same_content(MODEL, replace(MODEL, **fields))


def test_an_edited_model_has_the_same_content() -> None:
    """Its names, settings and use say nothing of its files."""
    edited = replace(MODEL, name="n", aliases=("x",), settings=ModelSettings(context=1), last_used_at=9)
    assert is_same_content(MODEL, edited)


@pytest.mark.parametrize(
    ("fields", "is_same_file", "is_same_content"),
    [
        ({}, True, True),
        ({"changed_ns": 9}, True, True),
        ({"size_bytes": 101}, True, False),
        ({"modified_ns": 9}, True, False),
        ({"inode": 9}, False, False),
        ({"device": 9}, False, False),
        ({"inode": 8, "device": 7}, False, False),
    ],
)
def test_a_file_is_compared_with_an_earlier_state(
    fields: dict[str, int], *, is_same_file: bool, is_same_content: bool
) -> None:
    """Inode and device say which file it is; size and modification time whether it was written to; rights nothing."""
    later = replace(MARK, **fields)
    assert MARK.is_same_file(later) is is_same_file
    assert MARK.is_same_content(later) is is_same_content


def test_a_local_target_is_on_loopback_without_a_key() -> None:
    """A target's key does not appear in a log."""
    target = RunningTarget.local(49152, 1, "m", 8192)
    assert target == RunningTarget(
        base_url="http://127.0.0.1:49152", model_id=1, model_name="m", effective_ctx=8192
    )
    assert "SECRET" not in repr(replace(target, bearer_key="SECRET"))
