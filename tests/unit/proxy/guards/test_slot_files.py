"""Changes of slots, and file names of saved slots."""

import json
from dataclasses import replace

import pytest

from gglib.core.models import RunningTarget
from gglib.proxy.errors import BadRequestError, UnsupportedByModelError
from gglib.proxy.guards.slot_files import refuse_own_slots, refuse_slot_paths


def test_slots_that_gglib_saves_are_its_own() -> None:
    """Other engines decide for themselves."""
    target = RunningTarget.local(1, 1, "chat", 512)
    refuse_own_slots(target)
    with pytest.raises(UnsupportedByModelError, match="'chat': see the setting 'kv_keep'"):
        refuse_own_slots(replace(target, slots=1))


@pytest.mark.parametrize("name", ["slot1.bin", "a", "my chat-2_b.x", "_", "a" * 200])
def test_plain_names_pass(name: str) -> None:
    """Letters, digits, spaces, dots, underscores and hyphens."""
    refuse_slot_paths(json.dumps({"filename": name}).encode())


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b"[]", b'{"model": "a"}'])
def test_a_body_without_a_name_passes(body: bytes) -> None:
    """The engine says what is missing."""
    refuse_slot_paths(body)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "C:x",
        "a\0b",
        "a\n",
        ".hidden",
        " a",
        "ü",
        "a" * 201,
        1,
        None,
    ],
)
def test_paths_and_unusual_names_are_refused(name: object) -> None:
    """None of them reaches the engine."""
    with pytest.raises(BadRequestError) as refused:
        refuse_slot_paths(json.dumps({"filename": name}).encode())
    assert refused.value.param == "filename"
