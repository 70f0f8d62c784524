"""The directory of installed engines: one directory each, complete or absent.

``engines/b11462-vulkan/`` has ``engine.json`` and the unpacked files. Names that begin with a dot are gglib's own:
``.staging`` is what is being installed or deleted, and has no value after a crash; ``.downloads`` has archives and
unfinished ones; the process that changes any of these holds ``.lock``.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gglib.core.errors import EngineInstallError
from gglib.core.part_names import part_manifest_path, part_path
from gglib.engine_store.record import EngineRecord, decode, encode, is_engine_name, program_path
from gglib.system.files.durable import sync
from gglib.system.files.locks import lock_file
from gglib.system.files.small_files import parse_json, read_small, warn_skipped_once

RECORD = "engine.json"
_STAGING, _DOWNLOADS, _LOCK = ".staging", ".downloads", ".lock"


@dataclass(frozen=True, slots=True)
class InstalledEngine:
    """An engine in the store."""

    record: EngineRecord
    directory: Path

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def program(self) -> Path:
        """The path of its llama-server."""
        return self.directory / program_path(self.record)


class EngineStore:
    """The engines in one directory, which may be missing. Methods block; changes need the lock."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def engines(self) -> list[InstalledEngine]:
        """Return the engines by name; a directory without a valid record is skipped with a warning in the log."""
        try:
            names = sorted(entry.name for entry in self.directory.iterdir() if entry.is_dir())
        except FileNotFoundError:
            return []
        found = (self._read(name) for name in names if not name.startswith("."))
        return [engine for engine in found if engine is not None]

    def find(self, name: str) -> InstalledEngine | None:
        """Return the engine with this name; None if there is none."""
        return self._read(name) if is_engine_name(name) and (self.directory / name).is_dir() else None

    def containing(self, program: Path) -> InstalledEngine | None:
        """Return the engine that a program belongs to; None for a program elsewhere."""
        try:
            relative = program.resolve().relative_to(self.directory.resolve())
        except (ValueError, OSError, RuntimeError):
            return None
        return self.find(relative.parts[0]) if relative.parts else None

    @property
    def downloads(self) -> Path:
        """The directory of archives."""
        return self.directory / _DOWNLOADS

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, and delete what a crash left. Raises ``EngineInstallError`` if another process holds it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = lock_file(self.directory / _LOCK)
        except BlockingIOError:
            raise EngineInstallError(
                "Another gglib is installing or removing an engine: wait for it, and run the same command again."
            ) from None
        try:
            self._clear_staging()
            yield
        finally:
            self._clear_staging()
            os.close(descriptor)

    def keep_downloads(self, names: Collection[str]) -> None:
        """Delete all archives and parts of archives but those with these names."""
        if not self.downloads.is_dir():
            return
        targets = [self.downloads / name for name in names]
        kept = {
            path for target in targets for path in (target, part_path(target), part_manifest_path(target))
        }
        for path in self.downloads.iterdir():
            if path not in kept:
                path.unlink(missing_ok=True)
        if not any(self.downloads.iterdir()):
            self.downloads.rmdir()

    def new_staging(self) -> Path:
        """Return an empty directory for an engine, on the same file system."""
        staging = self.directory / _STAGING
        staging.mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(dir=staging))

    def publish(self, staging: Path, record: EngineRecord) -> InstalledEngine:
        """Write the record and give the directory its name: from now on the engine is installed. Raises OSError."""
        path = staging / RECORD
        path.write_bytes(encode(record))
        sync(path)
        staging.chmod(0o755)
        sync(staging)
        target = self.directory / record.name
        staging.rename(target)
        sync(self.directory)
        return InstalledEngine(record, target)

    def remove(self, engine: InstalledEngine) -> None:
        """Delete an engine: renamed first, so that it is complete or absent. Running processes keep their files.

        One that another process has removed before is no error.
        """
        staging = self.new_staging()
        with suppress(FileNotFoundError):
            engine.directory.rename(staging / engine.name)
        sync(self.directory)
        self._clear_staging()

    def _clear_staging(self) -> None:
        shutil.rmtree(self.directory / _STAGING, ignore_errors=True)

    def _read(self, name: str) -> InstalledEngine | None:
        directory = self.directory / name
        try:
            record = decode(parse_json(read_small(directory / RECORD)), name)
        except (OSError, ValueError) as error:
            warn_skipped_once(directory / RECORD, error)
            return None
        return InstalledEngine(record, directory)


def tree_bytes(directory: Path) -> int:
    """Return the size of the files below a directory; links and further names of a file are not counted."""
    sizes: dict[int, int] = {}
    for parent, _, names in os.walk(directory):
        for name in names:
            status = os.lstat(os.path.join(parent, name))  # noqa: PTH118 - thousands of files
            if stat.S_ISREG(status.st_mode):
                sizes[status.st_ino] = status.st_size
    return sum(sizes.values())
