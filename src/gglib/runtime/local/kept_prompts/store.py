"""The files of saved prompts: ``HOME/kept/MODEL_ID/``, mode 0700, with files of mode 0600.

``slot-N.bin`` is what the engine wrote, ``slot-N.json`` its note, ``model.json`` what was learned of the model. A note
is written last and removed first: a file without a note is garbage, and so is a note without a file. The files are the
conversations themselves, so nothing is read or written in a directory that other users can enter.

All functions block. One process uses them at a time: that which holds the lock of the home directory.
"""

import os
import re
import shlex
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gglib.runtime.engines.kept_prompts.fingerprint import SavedSlot, encode_note, read_note
from gglib.runtime.local.kept_prompts.model_record import ModelRecord, encode_record, read_record
from gglib.system.files.durable import sync
from gglib.system.files.small_files import read_small

_DATA = re.compile(r"slot-(\d{1,6})\.bin")
_RECORD = "model.json"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class UnsafeDirectoryError(OSError):
    """Other users could read the directory, or it is not one of this user's."""


@dataclass(frozen=True, slots=True)
class KeptSlot:
    """A saved slot of a model, with its note."""

    model_id: int
    path: Path
    note: SavedSlot

    @property
    def name(self) -> str:
        """Identifies it among all models."""
        return f"{self.model_id}/{self.note.slot}"


class KeptStore:
    """The saved slots of all models in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.boot = read_boot_id()

    def open_model(self, model_id: int) -> Path:
        """Return the directory of a model, and create it. Raises ``OSError`` if it is not safe or cannot be written."""
        for directory in (self.directory, self._of(model_id)):
            directory.mkdir(mode=0o700, exist_ok=True)
            check_private(directory)
        return self._of(model_id)

    def slots(self) -> list[KeptSlot]:
        """Return the saved slots of all models; an unsafe directory has none."""
        return [
            slot for directory in self._model_directories(_is_private) for slot in self._slots_in(directory)
        ]

    def slots_of(self, model_id: int) -> list[KeptSlot]:
        """Return the saved slots of one model."""
        return self._slots_in(self._of(model_id)) if _is_private(self._of(model_id)) else []

    def put(self, model_id: int, source: Path, note: SavedSlot) -> None:
        """Move a complete file into the store, in the place of an earlier one of its slot.

        Raises ``OSError``, and leaves nothing, if that fails: also if the model's directory was deleted meanwhile.
        """
        directory = self._of(model_id)
        check_private(directory)
        data, note_path = _paths(directory, note.slot)
        note_path.unlink(missing_ok=True)
        try:
            source.replace(data)
            _write(note_path, encode_note(note))
        except OSError:
            with suppress(OSError):
                data.unlink(missing_ok=True)
            raise

    def delete(self, slot: KeptSlot) -> None:
        """Delete a saved slot. Raises ``OSError``."""
        data, note_path = _paths(slot.path.parent, slot.note.slot)
        note_path.unlink(missing_ok=True)
        data.unlink(missing_ok=True)

    def record(self, model_id: int) -> ModelRecord:
        """Return what was learned of a model."""
        try:
            return read_record(read_small(self._of(model_id) / _RECORD))
        except OSError:
            return ModelRecord()

    def write_record(self, model_id: int, record: ModelRecord) -> None:
        """Replace what was learned of a model. Raises ``OSError``."""
        directory = self._of(model_id)
        check_private(directory)
        _write(directory / _RECORD, encode_record(record))

    def sweep(self, *, keeps_slots: bool) -> int:
        """Delete what no launch may use, and return how many files: without ``keeps_slots`` every saved slot.

        Also in directories that others can enter by now: what they have is a conversation, too. Raises
        ``OSError`` if one cannot be deleted.
        """
        deleted = 0
        for directory in self._model_directories(_is_own):
            kept = set[Path]()
            for slot in self._slots_in(directory) if keeps_slots else ():
                if not slot.note.may_be_lost(self.boot):
                    kept.update(_paths(directory, slot.note.slot))
            for path in list(directory.iterdir()):
                if path not in kept and path.name != _RECORD:
                    path.unlink()
                    deleted += 1
        return deleted

    def make_durable(self, slot: KeptSlot) -> None:
        """Make a saved slot survive a power cut. Raises ``OSError``."""
        sync(slot.path)
        _, note_path = _paths(slot.path.parent, slot.note.slot)
        _write(note_path, encode_note(slot.note.as_durable()))
        sync(note_path)
        sync(note_path.parent)

    def _of(self, model_id: int) -> Path:
        return self.directory / str(model_id)

    def _model_directories(self, may_use: Callable[[Path], bool]) -> Iterator[Path]:
        if may_use(self.directory):
            for path in list(self.directory.iterdir()):
                if path.name.isdigit() and may_use(path):
                    yield path

    def _slots_in(self, directory: Path) -> list[KeptSlot]:
        found = []
        for path in directory.iterdir():
            match = _DATA.fullmatch(path.name)
            note = None if match is None else _read_note(_paths(directory, int(match[1]))[1])
            if match is not None and note is not None and note.slot == int(match[1]) and _is_regular(path):
                found.append(KeptSlot(int(directory.name), path, note))
        return found


def delete_model(directory: Path, model_id: int) -> None:
    """Delete everything of one model in a home's directory ``kept``; does nothing if there is nothing.

    Works beside a running gglib: a save that is in progress then leaves nothing. Raises ``OSError``.
    """
    path = directory / str(model_id)
    if not path.is_symlink() and path.is_dir():
        shutil.rmtree(path)


def check_private(directory: Path) -> None:
    """Raise ``OSError`` unless it is a directory of this user that others cannot enter, and not a link."""
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise UnsafeDirectoryError(0, "it is not a directory", str(directory))
    if status.st_uid != os.geteuid():
        raise UnsafeDirectoryError(0, "it belongs to another user", str(directory))
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise UnsafeDirectoryError(
            0, f"other users can enter it: run 'chmod 700 {shlex.quote(str(directory))}'", str(directory)
        )


def read_boot_id() -> str:
    """Return the id of this boot of the machine; empty where the system has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _is_private(directory: Path) -> bool:
    try:
        check_private(directory)
    except OSError:
        return False
    return True


def _is_own(directory: Path) -> bool:
    """Whether it is a directory of this user, in which others can change nothing, and not a link."""
    try:
        status = directory.lstat()
    except OSError:
        return False
    is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return is_own and not status.st_mode & 0o022


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _paths(directory: Path, slot: int) -> tuple[Path, Path]:
    """Return the paths of the data and of the note."""
    return directory / f"slot-{slot}.bin", directory / f"slot-{slot}.json"


def _read_note(path: Path) -> SavedSlot | None:
    try:
        return read_note(read_small(path))
    except OSError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step; readable for this user only."""
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
