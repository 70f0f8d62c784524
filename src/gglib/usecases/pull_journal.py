"""What is being pulled, written down: a small file for each pull, from before its first byte until after its row.

With it a model whose pull was killed after its last file and before its row is found at the next start, and pulls that
did not end can be listed. An address may have a signature in it, so only the owner may read the note.

A note is data, not gglib: it is read only where it is a small regular file whose fields have the right types and whose
files are below ``models/``. Any other is skipped with a warning that names it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TextIO

from gglib.core.errors import BeingFetchedError, GglibError, StorageError
from gglib.core.models import ModelSource
from gglib.core.part_names import note_path, part_path
from gglib.system.small_files import open_regular, parse_json, read_small, warn_of_skipped
from gglib.usecases.file_hash import hash_file

FORMAT = 1
DIRECTORY_NAME = ".pulls"
"""Inside ``models/``: on the same disk, and gone with it."""
BLOCK_BYTES = 512
"""What ``st_blocks`` counts, whatever the file system's own blocks are (POSIX, ``sys/stat.h``)."""
MOST_OPENINGS = 10
"""Of a note whose directory others remove at that very moment."""
_DRAFT = re.compile(r"(?P<id>[0-9a-f]{16})\.json\.\d+")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SOURCE_FIELDS = frozenset(ModelSource.__slots__)
_FLAGS = {"w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC, "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """One file of a job."""

    target: Path
    size_bytes: int | None
    sha256: str | None
    """As the source named it, then as it is on the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullJob:
    """All that is needed to put a pulled model into the catalogue, but what its header says."""

    asked: str
    """What to name to ``gglib pull`` for the same again."""
    name: str
    aliases: tuple[str, ...]
    source: ModelSource
    files: tuple[JobFile, ...]
    projector: JobFile | None
    is_fetched: bool = False
    """Whether all files were seen to arrive whole: their hashes are then what is on the disk."""

    @property
    def id(self) -> str:
        """The same for every pull to the same place."""
        return hashlib.sha256(os.fsencode(self.files[0].target)).hexdigest()[:16]

    @property
    def all_files(self) -> tuple[JobFile, ...]:
        """The model's files, and the projector after them."""
        return self.files if self.projector is None else (*self.files, self.projector)

    def here_bytes(self) -> int:
        """Return how much of its files is on the disk."""
        return sum(
            max(bytes_on_disk(file.target), bytes_on_disk(part_path(file.target))) for file in self.all_files
        )

    def with_hashes(self, hashes: Sequence[str]) -> "PullJob":
        """Return the job with what its files, projector last, hash to."""
        files = tuple(
            replace(file, sha256=sha256) for file, sha256 in zip(self.all_files, hashes, strict=True)
        )
        count = len(self.files)
        projector = None if self.projector is None else files[-1]
        return replace(self, files=files[:count], projector=projector, is_fetched=True)

    def may_be_whole(self) -> bool:
        """Whether all files are there with the right size, and nothing of them is still to come. Reads none."""
        return all(_has_size(file) and not part_path(file.target).exists() for file in self.all_files)

    def leftovers(self) -> tuple[Path, ...]:
        """Return what the pull may have left: its files, and what lies beside them while they come."""
        targets = [file.target for file in self.all_files]
        return (*targets, *map(part_path, targets), *map(note_path, targets))

    def verified_hashes(self) -> tuple[str, ...] | None:
        """Return the hashes of all files when they are readable and right, else None.

        Reads the files whole, but for where it is known that they were fetched.
        """
        if self.is_fetched:
            return tuple(file.sha256 or "" for file in self.all_files)
        try:
            hashes = tuple(hash_file(file.target) for file in self.all_files)
        except OSError:  # it went, or may not be read: the pull, when it is asked for again, says so
            return None
        is_right = all(
            file.sha256 in {None, sha256} for file, sha256 in zip(self.all_files, hashes, strict=True)
        )
        return hashes if is_right else None


def bytes_on_disk(path: Path) -> int:
    """Return what a file takes on the disk: less than its size while parts of it are holes. 0 for no file."""
    try:
        status = path.stat()
    except OSError:
        return 0
    return min(status.st_size, status.st_blocks * BLOCK_BYTES)


class PullJournal:
    """The jobs of one ``models/`` directory. Any number of processes may use it."""

    def __init__(self, models_dir: Path) -> None:
        self.models_dir = models_dir
        self._directory = models_dir / DIRECTORY_NAME

    @contextmanager
    def held(self, job: PullJob) -> Iterator[None]:
        """Be the only one at work on a job while the block lasts; a process that dies lets go of it.

        Raises ``BeingFetchedError`` when somebody else is, and ``StorageError``.
        """
        with self._held(job.id, job.name):
            yield

    @contextmanager
    def _held(self, job_id: str, name: str) -> Iterator[None]:
        path = self._directory / f"{job_id}.lock"
        try:
            lock = self._locked(path)
        except BlockingIOError:
            raise BeingFetchedError(
                f"Another gglib pulls '{name}' now: wait for it, or end it and run the same command again."
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        with lock:
            try:
                yield
            finally:
                # While it is held: whoever opened it meanwhile sees, when it has the lock, that the file is gone.
                self._forget(path)

    def _locked(self, path: Path) -> TextIO:
        while True:
            lock = opened_in(self._directory, path.name, "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                    return lock
            except FileNotFoundError:
                pass
            except BaseException:
                lock.close()
                raise
            lock.close()

    def begin(self, job: PullJob) -> None:
        """Write a job down, durably, in the place of an older one for the same files. Raises ``StorageError``."""
        path = self._path(job)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            with opened_in(self._directory, draft.name, "w") as file:
                json.dump(_to_json(job), file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise self._unwritable(error) from error

    def end(self, job: PullJob) -> None:
        """Forget a job; nothing when it is forgotten already."""
        self._forget(self._path(job))

    def jobs(self) -> list[PullJob]:
        """Return the jobs that have not ended, in the order of their names; bad notes are skipped with a warning."""
        found = []
        for path in sorted(self._directory.glob("*.json")):
            try:
                found.append(self._read(path))
            except FileNotFoundError:
                pass  # that pull has ended meanwhile
            except (OSError, ValueError) as error:
                warn_of_skipped(path, error)
        return sorted(found, key=lambda job: job.name)

    def _read(self, path: Path) -> PullJob:
        """Return the job of a note. Raises OSError or ValueError."""
        try:
            job = _from_json(parse_json(read_small(path)))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("it is not a note of a pull") from error
        root = self.models_dir.resolve()
        if not all(_leads_into(file.target, root) for file in job.all_files):
            raise ValueError(f"it names a file outside of {self.models_dir}")
        return job

    def sweep_drafts(self) -> list[Path]:
        """Remove what writers of notes left that were killed; return that.

        A draft is written by the process that holds its job (``held``), so one whose job can be held has no writer. The
        pid in its name says nothing: it may be another process's by now.
        """
        swept = []
        for path in sorted(self._directory.glob("*.json.*")):
            draft = _DRAFT.fullmatch(path.name)
            if draft is not None:
                with contextlib.suppress(GglibError, OSError), self._held(draft["id"], draft["id"]):
                    path.unlink()
                    swept.append(path)
        return swept

    def _forget(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()
        with contextlib.suppress(OSError):
            self._directory.rmdir()  # only when it is empty

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(
            f"{self._directory} cannot be written ({error.strerror}): make room or make it writable, or name "
            "another home with --home."
        )

    def _path(self, job: PullJob) -> Path:
        return self._directory / f"{job.id}.json"


def opened_in(directory: Path, name: str, mode: Literal["w", "x"]) -> TextIO:
    """Open a note in a directory that anybody who ends with the last one of its notes removes. Raises ``OSError``."""
    for _ in range(MOST_OPENINGS):
        with contextlib.suppress(FileNotFoundError):  # it was removed in between
            return _opened(directory, name, mode)
    return _opened(directory, name, mode)


def _opened(directory: Path, name: str, mode: Literal["w", "x"]) -> TextIO:
    directory.mkdir(mode=0o700, exist_ok=True)
    return os.fdopen(open_regular(directory / name, flags=_FLAGS[mode]), "w", encoding="utf-8")


def _leads_into(target: Path, root: Path) -> bool:
    """Whether a file is below ``root``, links on the way to it followed."""
    try:
        return target.is_absolute() and target.parent.resolve().is_relative_to(root)
    except (OSError, RuntimeError, ValueError):  # a circle of links, a NUL
        return False


def _has_size(file: JobFile) -> bool:
    try:
        status = file.target.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and file.size_bytes in {None, status.st_size}


def _to_json(job: PullJob) -> dict[str, Any]:
    return {"format": FORMAT, **asdict(job)} | {
        "files": [_file_to_json(file) for file in job.files],
        "projector": None if job.projector is None else _file_to_json(job.projector),
    }


def _file_to_json(file: JobFile) -> dict[str, Any]:
    return {"target": str(file.target), "size_bytes": file.size_bytes, "sha256": file.sha256}


def _from_json(fields: Mapping[str, Any]) -> PullJob:
    """Return the job. Raises AttributeError, KeyError, TypeError or ValueError for what is none of ours."""
    if fields["format"] != FORMAT:
        raise ValueError("it has a format that this gglib does not know")
    if not fields["files"]:
        raise ValueError("it names no files")
    if not _SOURCE_FIELDS.issuperset(fields["source"]):
        raise ValueError("it is not a note of a pull")
    projector = fields["projector"]
    return PullJob(
        asked=_text(fields["asked"]),
        name=_text(fields["name"]),
        aliases=tuple(map(_text, fields["aliases"])),
        source=ModelSource(**{key: _text_or_none(value) for key, value in fields["source"].items()}),
        files=tuple(map(_file_from_json, fields["files"])),
        projector=None if projector is None else _file_from_json(projector),
        is_fetched=fields["is_fetched"] is True,
    )


def _file_from_json(fields: Mapping[str, Any]) -> JobFile:
    target, size_bytes, sha256 = _text(fields["target"]), fields["size_bytes"], fields["sha256"]
    is_size = size_bytes is None or (type(size_bytes) is int and 0 <= size_bytes < 1 << 63)
    if not is_size or "\0" in target or not (sha256 is None or _SHA256.fullmatch(sha256)):
        raise ValueError("it is not a note of a pull")
    return JobFile(target=Path(target), size_bytes=size_bytes, sha256=sha256)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)
