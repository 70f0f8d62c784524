"""Which files of an older gglib's home are still the ones that it wrote, by its notes and rows. Looks, changes nothing.

A file whose size and date are as noted is known by device and inode from here on. One of which only the size agrees is
known by its SHA-256: it is read when that is asked for, not now. Any other is the user's.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from gglib.core.errors import UnsafeNameError
from gglib.core.file_names import safe_folder
from gglib.core.gguf_names import FileKind, kind_of
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.versions import FileIdentity, FileRole, NewVersion, OwnFile
from gglib.library.homes.legacy_records import LegacyFileRecord
from gglib.library.versions.ownership import identity_from, status_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyFiles:
    """What an older gglib noted of one ``models/`` directory."""

    models_dir: Path
    notes: Mapping[PurePosixPath, LegacyFileRecord] = field(default_factory=dict)
    """By the files' names below ``models/``."""
    promised: Mapping[Path, str] = field(default_factory=dict)
    """SHA-256 of files that pulls brought whole and that were read to make sure."""

    def of_model(
        self, model: ModelSummary, paths: tuple[Path, ...], projector: Path | None
    ) -> tuple[OwnFile, ...]:
        """Return the files of a model that gglib wrote, where they lie now.

        The notes decide; the row does only for a model that was downloaded before there were notes.
        """
        source = source_of(model, self.models_dir, paths)
        is_by_row = model.is_downloaded and not any(self._note(path) for path in paths)
        hashes = model.hashes or (None,) * len(paths)
        found = [
            self._own(path, FileRole.MODEL, source, sha256 if is_by_row else None)
            for path, sha256 in zip(paths, hashes, strict=True)
        ]
        if projector is not None:
            sha256 = model.projector_sha256 if is_by_row else None
            found.append(self._own(projector, FileRole.PROJECTOR, source, sha256))
        return tuple(filter(None, found))

    def leftovers(self, used: Iterable[Path]) -> list[NewVersion]:
        """Return versions of the noted files that nothing of ``used`` is: those of one source in one directory."""
        taken = set(used)
        groups: dict[tuple[PurePosixPath, ModelSource], list[OwnFile]] = {}
        for note in self.notes.values():
            path = self.models_dir / note.name
            if path in taken:
                continue
            role = FileRole.PROJECTOR if kind_of(note.name.name) is FileKind.PROJECTOR else FileRole.MODEL
            file = self._own(path, role, note.source, None)
            if file is not None:
                groups.setdefault((note.name.parent, note.source), []).append(file)
        return [
            NewVersion(directory=None, source=source, files=tuple(sorted(files, key=_in_order)))
            for (_, source), files in groups.items()
        ]

    def as_noted(self) -> frozenset[Path]:
        """Return the files whose size and date are as noted."""
        found = set()
        for note in self.notes.values():
            status = status_of(self.models_dir / note.name)
            if status is not None and (status.st_size, status.st_mtime_ns) == (
                note.size_bytes,
                note.modified_ns,
            ):
                found.add(self.models_dir / note.name)
        return frozenset(found)

    def known(self, path: Path) -> tuple[OwnFile, ModelSource] | None:
        """Return a file that has a note and is the one it describes, and where it came from."""
        note = self._note(path)
        file = None if note is None else self._own(path, FileRole.MODEL, note.source, None)
        return None if file is None or note is None else (file, note.source)

    def _note(self, path: Path) -> LegacyFileRecord | None:
        name = self._name(path)
        return None if name is None else self.notes.get(name)

    def _name(self, path: Path) -> PurePosixPath | None:
        """Return the name below ``models/``; None for a file that is outside, also by a link on the way to it."""
        if not path.is_relative_to(self.models_dir):
            return None
        root = os.path.realpath(self.models_dir)
        if not Path(os.path.realpath(path.parent)).is_relative_to(root):
            return None
        return PurePosixPath(path.relative_to(self.models_dir))

    def _own(self, path: Path, role: FileRole, source: ModelSource, by_row: str | None) -> OwnFile | None:
        """Return what is known of a file; ``by_row`` is the hash that its row alone knows."""
        name, status = self._name(path), status_of(path)
        if name is None or status is None:
            return None
        identity, sha256 = self._identity(path, status, by_row)
        if identity is None:
            return None
        return OwnFile(path=path, role=role, name=name_there(name, source), identity=identity, sha256=sha256)

    def _identity(
        self, path: Path, status: os.stat_result, by_row: str | None
    ) -> tuple[FileIdentity | None, str | None]:
        note, promised = self._note(path), self.promised.get(path)
        is_noted = note is not None and note.size_bytes == status.st_size
        if note is not None and is_noted and note.modified_ns == status.st_mtime_ns:
            return identity_from(status), note.sha256
        if promised is not None:
            return identity_from(status), promised
        sha256 = (note.sha256 if is_noted else None) if note is not None else by_row
        if sha256 is None:
            return None, None
        return FileIdentity(device=None, inode=None, size_bytes=status.st_size, modified_ns=None), sha256


def source_of(model: ModelSummary, models_dir: Path, paths: tuple[Path, ...]) -> ModelSource:
    """Return where a model came from, with the revision that was asked for by name: its directory says it."""
    source = model.source
    if source.repo is None or not paths or not paths[0].is_relative_to(models_dir):
        return source
    parts = paths[0].relative_to(models_dir).parts
    revision = unquote(parts[1].partition("@")[2]) if len(parts) > 2 else ""
    try:
        if revision and PurePosixPath(*parts[:2]) == safe_folder(source.repo, revision):
            return replace(source, asked_revision=revision)
    except UnsafeNameError:
        pass
    return source


def name_there(name: PurePosixPath, source: ModelSource) -> str:
    """Return what a file is called in its repository: it lies below ``OWNER/NAME``; another below its host."""
    is_in_folder = source.repo is not None and len(name.parts) > 2
    return PurePosixPath(*name.parts[2:]).as_posix() if is_in_folder else name.name


def has_not_changed_since(path: Path, at_ns: int) -> bool:
    """Whether a regular file has had its content, its name and its rights since then: no program sets this time."""
    status = status_of(path)
    return status is not None and stat.S_ISREG(status.st_mode) and status.st_ctime_ns <= at_ns


def _in_order(file: OwnFile) -> tuple[bool, str]:
    return file.role is FileRole.PROJECTOR, file.name
