"""The file of a backup: a zip archive, so that any zip program and SQLite's own shell show what is in it.

Its directory is at the end, so that a truncated file is recognised, and each member has a checksum.
"""

import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gglib.app.backup.errors import BackupError
from gglib.app.backup.manifest import FILES, MANIFEST_NAME, Manifest, Part, manifest_json, parse_manifest
from gglib.core.sizes import format_size

ZIP_MAGIC = b"PK\x03\x04"
LEVEL = 1
"""Of the compression: databases shrink to about a third, and recorded bodies are compressed already."""
MAX_MANIFEST_BYTES = 64 * 1024
MAX_SETTINGS_BYTES = 1024 * 1024
"""As much as gglib reads of ``config.toml``."""
MAX_CATALOG_BYTES = 1024**3
"""A catalogue is read into memory. 10,000 models are about 20 MB."""
_WRITTEN = 2
"""How often a part is written: to be checked, and into its place."""
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, UnicodeError)
"""What ``zipfile`` raises for a damaged or encrypted archive."""


def is_archive(file: Path) -> bool:
    """Whether the file begins as an archive does; of an older gglib it is the catalogue itself. Raises OSError."""
    with file.open("rb") as opened:
        return opened.read(len(ZIP_MAGIC)) == ZIP_MAGIC


def is_backup(file: Path) -> bool:
    """Whether the file is an archive that gglib wrote. Raises OSError."""
    try:
        return is_archive(file) and bool(read_manifest(file))
    except BackupError:
        return False


def write_archive(file: Path, manifest: Manifest, parts: Mapping[Part, Path]) -> None:
    """Write the archive to the empty ``file``, which keeps its mode, from the files of its parts. Raises OSError."""
    with zipfile.ZipFile(
        file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL, strict_timestamps=False
    ) as archive:
        archive.writestr(_owner_only(MANIFEST_NAME), manifest_json(manifest))
        for part, source in parts.items():
            archive.write(source, FILES[part])


def _owner_only(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o600 << 16
    return info


def read_manifest(file: Path) -> Manifest:
    """Return the manifest of an archive. Raises ``BackupError`` for a damaged file, and OSError."""
    with _opened(file) as archive:
        try:
            return parse_manifest(_read(archive, MANIFEST_NAME, MAX_MANIFEST_BYTES))
        except KeyError:
            raise ValueError("is a zip file, but not a gglib backup: name another file") from None


def extract(file: Path, part: Part, target: Path) -> None:
    """Write a part of the archive to ``target``, which does not exist. Raises ``BackupError`` and OSError."""
    with _opened(file) as archive:
        info = _member(archive, FILES[part], MAX_CATALOG_BYTES if part is Part.CATALOG else None)
        free = shutil.disk_usage(target.parent).free
        needed = _WRITTEN * info.file_size
        if needed > free:
            raise ValueError(
                f"needs {format_size(needed)} for its {part.value}, and {format_size(free)} are free in "
                f"{target.parent.parent}: free some space"
            )
        with archive.open(info) as source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)


def read_settings(file: Path) -> bytes:
    """Return the settings in the archive. Raises ``BackupError`` and OSError."""
    with _opened(file) as archive:
        return _read(archive, FILES[Part.SETTINGS], MAX_SETTINGS_BYTES)


def _read(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    return archive.read(_member(archive, name, max_bytes))


def _member(archive: zipfile.ZipFile, name: str, max_bytes: int | None) -> zipfile.ZipInfo:
    """Return the entry of a member. Raises KeyError if there is none, ValueError if it cannot be gglib's."""
    if name not in archive.namelist():
        raise KeyError(f"is damaged: it has no {name}")
    info = archive.getinfo(name)
    if len([other for other in archive.namelist() if other == name]) > 1:
        raise ValueError(f"is damaged: it has {name} twice")
    if info.compress_type not in _METHODS or info.flag_bits & 1:
        raise ValueError(f"was changed by another program: {name} is encrypted, or not compressed by gglib")
    if max_bytes is not None and info.file_size > max_bytes:
        raise ValueError(f"is damaged: {name} is larger than {format_size(max_bytes)}")
    return info


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except _DAMAGE as error:
        raise BackupError(f"{file} is damaged or incomplete ({error}): name another backup.") from error
    except (KeyError, ValueError) as error:
        raise BackupError(f"{file} {error.args[0]}.") from error
