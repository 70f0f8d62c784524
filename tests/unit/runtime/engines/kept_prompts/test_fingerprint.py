"""Which saved slots a launch may use."""

import pytest
from msgspec.structs import replace

from gglib.runtime.engines.kept_prompts.fingerprint import (
    Fingerprint,
    SavedSlot,
    cold_reason,
    encode_note,
    read_note,
)

LAUNCH = Fingerprint(files=("a",), engine="embedded b11549", options=(("--cache-type-k", "q8_0"),))
SAVED = SavedSlot(
    fingerprint=LAUNCH, slot=2, tokens=1000, size_bytes=23_000_000, used_at_s=1e9, gain_s=5.0, boot="b"
)


def reason(launch: Fingerprint = LAUNCH, *, context: int = 1000, size_bytes: int = 23_000_000) -> str | None:
    """Return why the saved slot is cold for a launch."""
    return cold_reason(SAVED, launch, context=context, size_bytes=size_bytes)


def test_same_launch_uses_the_slot() -> None:
    """The context may have just as many tokens as the slot."""
    assert reason() is None
    assert reason(context=8192) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"files": ("a", "b")}, "the model's files have changed"),
        ({"engine": "embedded b11550"}, "the engine is another one, or another build"),
        ({"projector": "p"}, "the projector is another one"),
        ({"adapters": ("l:0.5",)}, "the adapters are others"),
        ({"template": "t"}, "the chat template is another one"),
        ({"options": ()}, "--cache-type-k has changed"),
        ({"options": (("--cache-type-k", "f16"),)}, "--cache-type-k has changed"),
        ({"options": (("--cache-type-k", "q8_0"), ("--swa-full", "on"))}, "--swa-full has changed"),
    ],
)
def test_each_part_counts(changes: dict[str, object], expected: str) -> None:
    """A change is named."""
    assert reason(replace(LAUNCH, **changes)) == expected


def test_every_field_is_tried() -> None:
    """A field that is added is compared, too: the test above has a row for it."""
    assert Fingerprint.__struct_fields__ == (
        "files",
        "engine",
        "projector",
        "adapters",
        "template",
        "options",
    )


def test_slot_has_to_fit_and_be_complete() -> None:
    """Too many tokens for the context, or another size of the file."""
    assert reason(context=999) == "it has 1000 tokens, and the context 999"
    assert reason(size_bytes=22_999_999) == "its file is not complete"


def test_note_is_read_as_written() -> None:
    """JSON, both ways."""
    assert read_note(encode_note(SAVED)) == SAVED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        encode_note(SAVED)[:-1],
        encode_note(replace(SAVED, format=2)),
        b'{"x":1,' + encode_note(SAVED)[1:],
        b"\xff",
    ],
)
def test_other_notes_are_not_used(content: bytes) -> None:
    """Damaged, of another format, or with unknown fields."""
    assert read_note(content) is None


@pytest.mark.parametrize(("boot", "is_lost"), [("b", False), ("c", True), ("", True)])
def test_a_file_may_not_survive_a_power_cut(boot: str, *, is_lost: bool) -> None:
    """Unless it was made durable; an unknown boot may be another one."""
    assert SAVED.may_be_lost(boot) is is_lost
    assert not SAVED.as_durable().may_be_lost(boot)
