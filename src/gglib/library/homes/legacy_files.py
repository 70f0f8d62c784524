"""Finds the files in a home of gglib 0.1 that are unchanged, by its records and rows. Changes nothing.

A file with the recorded size and date is identified by device and inode from now on. A file with only the recorded size
is identified by its SHA-256, which is computed later, when it is needed. Any other file is the user's.
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
    """The records of gglib 0.1 on one ``models/`` directory."""

    models_dir: Path
    records: Mapping[PurePosixPath, LegacyFileRecord] = field(default_factory=dict)
    """By file name below ``models/``."""
    verified: Mapping[Path, str] = field(default_factory=dict)
    """SHA-256 of completely downloaded files that were hashed."""

    def of_model(
        self, model: ModelSummary, paths: tuple[Path, ...], projector: Path | None
    ) -> tuple[OwnFile, ...]:
        """Return the files of a model that gglib wrote, at their current paths.

        The records decide; the row only decides for models that were downloaded before there were records.
        """
        source = source_of(model, self.models_dir, paths)
        is_by_row = model.is_downloaded and not any(self._record(path) for path in paths)
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
        """Return the recorded files that are not in ``used`` as versions: one per source and directory."""
        taken = set(used)
        groups: dict[tuple[PurePosixPath, ModelSource], list[OwnFile]] = {}
        for record in self.records.values():
            path = self.models_dir / record.name
            if path in taken:
                continue
            role = FileRole.PROJECTOR if kind_of(record.name.name) is FileKind.PROJECTOR else FileRole.MODEL
            file = self._own(path, role, record.source, None)
            if file is not None:
                groups.setdefault((record.name.parent, record.source), []).append(file)
        return [
            NewVersion(directory=None, source=source, files=tuple(sorted(files, key=_in_order)))
            for (_, source), files in groups.items()
        ]

    def unchanged(self) -> frozenset[Path]:
        """Return the files with the recorded size and date."""
        found = set()
        for record in self.records.values():
            status = status_of(self.models_dir / record.name)
            if status is not None and (status.st_size, status.st_mtime_ns) == (
                record.size_bytes,
                record.modified_ns,
            ):
                found.add(self.models_dir / record.name)
        return frozenset(found)

    def known(self, path: Path) -> tuple[OwnFile, ModelSource] | None:
        """Return a file that matches its record, and its source."""
        record = self._record(path)
        file = None if record is None else self._own(path, FileRole.MODEL, record.source, None)
        return None if file is None or record is None else (file, record.source)

    def _record(self, path: Path) -> LegacyFileRecord | None:
        name = self._name(path)
        return None if name is None else self.records.get(name)

    def _name(self, path: Path) -> PurePosixPath | None:
        """Return the name below ``models/``; None for a file outside, also through a link."""
        if not path.is_relative_to(self.models_dir):
            return None
        root = os.path.realpath(self.models_dir)
        if not Path(os.path.realpath(path.parent)).is_relative_to(root):
            return None
        return PurePosixPath(path.relative_to(self.models_dir))

    def _own(self, path: Path, role: FileRole, source: ModelSource, by_row: str | None) -> OwnFile | None:
        """Return the record of a file; ``by_row`` is the hash that only its row has."""
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
        record, verified = self._record(path), self.verified.get(path)
        has_recorded_size = record is not None and record.size_bytes == status.st_size
        if record is not None and has_recorded_size and record.modified_ns == status.st_mtime_ns:
            return identity_from(status), record.sha256
        if verified is not None:
            return identity_from(status), verified
        sha256 = (record.sha256 if has_recorded_size else None) if record is not None else by_row
        if sha256 is None:
            return None, None
        return FileIdentity(device=None, inode=None, size_bytes=status.st_size, modified_ns=None), sha256


def source_of(model: ModelSummary, models_dir: Path, paths: tuple[Path, ...]) -> ModelSource:
    """Return the source of a model, with the requested revision from the name of its directory."""
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
    """Return the name of a file in its repository, below ``OWNER/NAME``; files of URLs are below their host."""
    is_in_folder = source.repo is not None and len(name.parts) > 2
    return PurePosixPath(*name.parts[2:]).as_posix() if is_in_folder else name.name


def has_not_changed_since(path: Path, at_ns: int) -> bool:
    """Whether a regular file is unchanged since then, by ``st_ctime``, which programs cannot set."""
    status = status_of(path)
    return status is not None and stat.S_ISREG(status.st_mode) and status.st_ctime_ns <= at_ns


def _in_order(file: OwnFile) -> tuple[bool, str]:
    return file.role is FileRole.PROJECTOR, file.name
