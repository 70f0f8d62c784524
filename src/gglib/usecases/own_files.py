"""Which files below ``models/`` gglib wrote: a note for each of them, which outlives the model's row.

``models/.written/ID.json`` names a file and says how it was known when it was whole: size, time of change, SHA-256, and
where it came from. A file is gglib's own as long as it is the one that the note describes: one that was put in its
place, or written into, is the user's. Where the size is right and only the time is not (the home was copied), the
SHA-256 decides.

A pull or an ``add`` that is about to use a file that is there holds ``changing`` while deciding, and so does what
deletes files: nothing is deleted that has just got a user.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import stat
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from gglib.core.errors import StorageError
from gglib.core.models import ModelSource, ModelSummary
from gglib.system.small_files import open_regular, parse_json, read_small, warn_of_skipped
from gglib.usecases.file_hash import hash_file
from gglib.usecases.removal_journal import is_inside

DIRECTORY_NAME = ".written"
"""Inside ``models/``: on the same disk, and gone with it."""
FORMAT = 1
_DRAFT_SUFFIX = ".draft"
_LOOK_PAUSE_S = 0.01
_LOOKS = 3_000
"""Some 30 s: a decision takes milliseconds, a process that is stopped may hold the lock for ever."""
_SOURCE_FIELDS = frozenset(ModelSource.__slots__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A file that gglib wrote."""

    path: Path
    size_bytes: int
    changed_ns: int | None
    """Time of the last change, in ns since the epoch; None where only the hash is known."""
    sha256: str | None
    source: ModelSource
    """Of the model that it was written for."""


class OwnFiles:
    """The files of one ``models/`` directory that gglib wrote. Any number of processes may use it.

    ``pinned`` are files that every gglib knows, by their names below ``models/``, for homes of older ones.
    """

    def __init__(self, models_dir: Path, *, pinned: Sequence[OwnFile] = ()) -> None:
        self.models_dir = models_dir
        self._directory = models_dir / DIRECTORY_NAME
        self._pinned = {file.path: file for file in pinned}
        self._hashes: dict[tuple[Path, int, int, int], str] = {}
        """Of files as they were looked at: a file is read once."""

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Keep others from deciding what is used and what is deleted while the block lasts; it should be short.

        The lock is on ``models/`` itself, so it leaves no file. A file system without locks gives none. Raises
        ``StorageError`` where another gglib holds it for longer than any decision takes.
        """
        try:
            descriptor = os.open(self.models_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            yield
            return
        try:
            for _ in range(_LOOKS):
                if not _is_locked_elsewhere(descriptor):
                    break
                await asyncio.sleep(_LOOK_PAUSE_S)
            else:
                raise StorageError(
                    f"Another gglib is deleting files in {self.models_dir}: wait for it, and run the command again."
                )
            yield
        finally:
            os.close(descriptor)

    def note(self, path: Path, *, sha256: str | None, source: ModelSource, is_verified: bool = True) -> None:
        """Write down that gglib wrote the file, as it is now; nothing for what is no file inside ``models/``.

        Of a file that is not verified to be the one that has the hash, only the hash is noted. A disk without room for
        the note costs the note: the file is then never deleted.
        """
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and is_inside(path, self.models_dir):
                file = OwnFile(
                    path=path,
                    size_bytes=status.st_size,
                    changed_ns=status.st_mtime_ns if is_verified or sha256 is None else None,
                    sha256=sha256,
                    source=source,
                )
                self._write(file)

    def note_model(self, model: ModelSummary) -> None:
        """Write down the files of a model that gglib downloaded, before its row goes and takes that knowledge along."""
        known = self._known()
        written = self.written_of(model, {**self._pinned, **known})
        hashes = (*(model.hashes or (None,) * len(model.paths)), model.projector_sha256)
        for path, sha256 in zip(model.all_files, hashes, strict=False):
            if path in written and path not in known:
                self.note(path, sha256=sha256, source=model.source, is_verified=False)

    def written_of(self, model: ModelSummary, notes: Mapping[Path, OwnFile] | None = None) -> frozenset[Path]:
        """Return the files of a model that gglib wrote, whether or not they were changed since.

        ``notes`` are what ``all`` returned, where the caller has them.

        The notes decide, for each file: a projector that the user set for a downloaded model is the user's, also
        inside ``models/``. An older gglib wrote no notes: for its models the row decides, which has the hash of each
        projector that gglib downloaded.
        """
        noted = (self.all() if notes is None else notes).keys() & set(model.all_files)
        if not model.is_downloaded or not noted.isdisjoint(model.paths):
            return frozenset(noted)
        by_row = model.paths if model.projector_sha256 is None else model.all_files
        return frozenset(noted.union(path for path in by_row if is_inside(path, self.models_dir)))

    def forget(self, paths: Sequence[Path]) -> None:
        """Forget files that are gone."""
        for path in paths:
            if not os.path.lexists(path):
                with contextlib.suppress(OSError, ValueError):
                    self._note_of(path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._directory.rmdir()  # only when it is empty

    def all(self) -> dict[Path, OwnFile]:
        """Return every file that has a note; whether it is still the same is not looked at. Bad notes are skipped."""
        return {**self._pinned, **self._known()}

    def find(self, path: Path) -> OwnFile | None:
        """Return what is known of a file that is there and that gglib wrote, else None. May read the file whole."""
        known = self.all().get(path)
        return known if known is not None and self.is_same(known) else None

    def is_same(self, file: OwnFile) -> bool:
        """Whether the file is still the one that was written. Reads it whole where only its time is another one."""
        try:
            status = file.path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != file.size_bytes:
                return False
            if status.st_mtime_ns == file.changed_ns:
                return True
            look = (file.path, status.st_ino, status.st_size, status.st_mtime_ns)
            if look not in self._hashes and file.sha256 is not None:
                self._hashes[look] = hash_file(file.path)
        except OSError:
            return False
        return file.sha256 is not None and self._hashes[look] == file.sha256

    def _known(self) -> dict[Path, OwnFile]:
        known = {}
        notes: list[Path] = []
        with contextlib.suppress(OSError):  # of a directory that this user may not search
            notes = sorted(self._directory.glob("*.json"))
        for note in notes:
            try:
                file = self._read(note)
            except FileNotFoundError:
                continue  # forgotten meanwhile
            except (OSError, ValueError) as error:
                warn_of_skipped(note, error)
                continue
            known[file.path] = file
        return known

    def _read(self, note: Path) -> OwnFile:
        """Return what a note says. Raises OSError or ValueError."""
        try:
            file = _from_json(parse_json(read_small(note)), self.models_dir)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("it is not a note of a file") from error
        if not is_inside(file.path, self.models_dir):
            raise ValueError(f"it names a file outside of {self.models_dir}")
        return file

    def _write(self, file: OwnFile) -> None:
        """Write a note durably in the place of an older one. Raises OSError and leaves no part of it."""
        note = self._note_of(file.path)
        self._directory.mkdir(mode=0o700, exist_ok=True)
        draft = note.with_suffix(f".{secrets.token_hex(4)}{_DRAFT_SUFFIX}")
        try:
            descriptor = open_regular(draft, flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                fcntl.flock(opened, fcntl.LOCK_EX)
                json.dump(self._to_json(file), opened)
                opened.flush()
                os.fsync(opened.fileno())
                draft.replace(note)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise

    def sweep_drafts(self) -> list[Path]:
        """Remove what writers of notes left that were killed; return that. A living writer has its draft locked."""
        swept = []
        for draft in sorted(self._directory.glob(f"*{_DRAFT_SUFFIX}")):
            with contextlib.suppress(OSError):
                descriptor = open_regular(draft)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    draft.unlink()
                    swept.append(draft)
                finally:
                    os.close(descriptor)
        return swept

    def _to_json(self, file: OwnFile) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(file), "path": self._name_of(file.path)}

    def _name_of(self, path: Path) -> str:
        """Return a path relative to ``models/``: the home may move."""
        return PurePosixPath(path.relative_to(self.models_dir)).as_posix()

    def _note_of(self, path: Path) -> Path:
        """Return where the note of a file is. Raises ValueError for a file outside."""
        key = hashlib.sha256(os.fsencode(self._name_of(path))).hexdigest()[:16]
        return self._directory / f"{key}.json"


def _is_locked_elsewhere(descriptor: int) -> bool:
    """Take the lock, and return False, unless another one has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def adopted(files: Sequence[Path], own: OwnFiles) -> tuple[OwnFile, ...] | None:
    """Return what is known of a model's files where gglib wrote all of them, else None."""
    known = own.all()
    found = [known.get(path) for path in files]
    whole = tuple(file for file in found if file is not None and own.is_same(file))
    return whole if whole and len(whole) == len(files) else None


def _from_json(fields: Mapping[str, Any], models_dir: Path) -> OwnFile:
    """Return the file. Raises AttributeError, KeyError, TypeError or ValueError for what is none of ours."""
    name, size_bytes, changed_ns, sha256 = (
        fields[key] for key in ("path", "size_bytes", "changed_ns", "sha256")
    )
    source = fields["source"]
    if (
        fields["format"] != FORMAT
        or not _is_relative(name)
        or not _SOURCE_FIELDS.issuperset(source)
        or type(size_bytes) is not int
        or not (changed_ns is None or type(changed_ns) is int)
        or not all(value is None or isinstance(value, str) for value in (sha256, *source.values()))
    ):
        raise ValueError("it is not a note of a file")
    return OwnFile(
        path=models_dir / name,
        size_bytes=size_bytes,
        changed_ns=changed_ns,
        sha256=sha256,
        source=ModelSource(**source),
    )


def _is_relative(name: object) -> bool:
    return (
        isinstance(name, str)
        and "\0" not in name
        and not name.startswith("/")
        and not {"", ".", ".."} & set(name.split("/"))
    )
