"""The files of saved prompts."""

import os
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from gglib.runtime.engines.kept_prompts.fingerprint import Fingerprint, SavedSlot
from gglib.runtime.local.kept_prompts.model_record import ModelRecord
from gglib.runtime.local.kept_prompts.store import KeptStore, UnsafeDirectoryError, delete_model

NOTE = SavedSlot(
    fingerprint=Fingerprint(files=("a",), engine="e"),
    slot=1,
    tokens=10,
    size_bytes=4,
    used_at_s=1.0,
    gain_s=1.0,
    boot="",
)


@pytest.fixture
def store(tmp_path: Path) -> KeptStore:
    """Return a store with a directory for model 7."""
    found = KeptStore(tmp_path / "kept")
    found.open_model(7)
    return found


def put(store: KeptStore, tmp_path: Path, content: bytes = b"data", slot: int = 1) -> None:
    """Save a slot of model 7."""
    source = tmp_path / "source"
    source.write_bytes(content)
    store.put(7, source, replace(NOTE, slot=slot, boot=store.boot))


def names(store: KeptStore) -> list[str]:
    """Return the names of all files of model 7."""
    return sorted(path.name for path in (store.directory / "7").iterdir())


def test_a_saved_slot_is_found(store: KeptStore, tmp_path: Path) -> None:
    """With its note, in directories of mode 0700; a later save replaces it."""
    put(store, tmp_path)
    put(store, tmp_path, b"more")
    (slot,) = store.slots_of(7)
    assert (slot.name, slot.note.tokens, slot.path.read_bytes()) == ("7/1", 10, b"more")
    assert store.slots() == [slot]
    assert stat.S_IMODE((store.directory / "7").stat().st_mode) == 0o700
    assert stat.S_IMODE((store.directory / "7" / "slot-1.json").stat().st_mode) == 0o600
    store.delete(slot)
    store.delete(slot)
    assert (store.slots(), names(store)) == ([], [])


def test_halves_are_garbage(store: KeptStore, tmp_path: Path) -> None:
    """A file without a note, a note without a file, one that was being written: none is used, and all go."""
    store.boot = "this"
    put(store, tmp_path)
    directory = store.directory / "7"
    for name in ("slot-2.bin", "slot-3.json", "slot-1.json.tmp", "x"):
        (directory / name).write_bytes(b"x")
    (directory / "slot-4.bin").write_bytes(b"x")
    (directory / "slot-4.json").write_bytes(b"{}")
    (directory / "slot-5.json").symlink_to(directory / "slot-1.json")
    (directory / "slot-5.bin").symlink_to(directory / "slot-1.bin")
    store.write_record(7, ModelRecord(misses=1))
    assert [slot.note.slot for slot in store.slots()] == [1]
    assert store.sweep(keeps_slots=True) == 8
    assert names(store) == ["model.json", "slot-1.bin", "slot-1.json"]
    assert store.record(7) == ModelRecord(misses=1)


def test_everything_goes_at_a_start_without_the_setting(store: KeptStore, tmp_path: Path) -> None:
    """What was learned stays: it says nothing of a conversation."""
    put(store, tmp_path)
    store.write_record(7, ModelRecord())
    assert store.sweep(keeps_slots=False) == 2
    assert names(store) == ["model.json"]


def test_what_others_could_enter_by_now_goes_too(store: KeptStore, tmp_path: Path) -> None:
    """It is not used, but it is a conversation. In a directory that others can write to, nothing is deleted."""
    put(store, tmp_path)
    directory = store.directory / "7"
    directory.chmod(0o777)
    assert store.sweep(keeps_slots=False) == 0
    for path in (store.directory, directory):
        path.chmod(0o755)
    assert store.slots() == []
    assert store.sweep(keeps_slots=False) == 2
    assert names(store) == []


def test_after_a_boot_only_durable_files_are_used(store: KeptStore, tmp_path: Path) -> None:
    """A power cut may leave zeros in others."""
    put(store, tmp_path, slot=1)
    put(store, tmp_path, slot=2)
    (first, _) = sorted(store.slots(), key=lambda slot: slot.note.slot)
    store.make_durable(first)
    later = KeptStore(store.directory)
    later.boot = "another"
    later.sweep(keeps_slots=True)
    assert [slot.note.slot for slot in later.slots()] == [1]


def test_a_removed_model_gets_no_files(store: KeptStore, tmp_path: Path) -> None:
    """A save that was in progress leaves nothing."""
    delete_model(store.directory, 7)
    with pytest.raises(FileNotFoundError):
        put(store, tmp_path)
    with pytest.raises(FileNotFoundError):
        store.write_record(7, ModelRecord())
    assert list(store.directory.iterdir()) == []
    delete_model(store.directory, 7)


def test_a_note_that_cannot_be_written_leaves_nothing(store: KeptStore, tmp_path: Path) -> None:
    """Its file goes, too."""
    (store.directory / "7" / "slot-1.json.tmp").mkdir()
    with pytest.raises(OSError, match=r"."):
        put(store, tmp_path)
    assert names(store) == ["slot-1.json.tmp"]
    assert store.slots() == []


def test_directories_that_others_can_enter_are_not_used(store: KeptStore, tmp_path: Path) -> None:
    """Nor links: conversations are private."""
    put(store, tmp_path)
    (store.directory / "7").chmod(0o750)
    with pytest.raises(UnsafeDirectoryError, match="chmod 700"):
        store.open_model(7)
    assert store.slots() == []
    (store.directory / "7").chmod(0o700)
    (store.directory / "8").symlink_to(store.directory / "7")
    with pytest.raises(UnsafeDirectoryError, match="not a directory"):
        store.open_model(8)
    assert [slot.model_id for slot in store.slots()] == [7]
    delete_model(store.directory, 8)
    assert names(store) == ["slot-1.bin", "slot-1.json"]


def test_directories_of_other_users_are_not_used(store: KeptStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever their mode."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(UnsafeDirectoryError, match="another user"):
        store.open_model(7)


def test_without_a_directory_there_is_nothing(tmp_path: Path) -> None:
    """Before the first launch."""
    store = KeptStore(tmp_path / "kept")
    assert (store.slots(), store.sweep(keeps_slots=False), store.record(1)) == ([], 0, ModelRecord())
