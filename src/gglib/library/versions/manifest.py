"""The manifest of a version: everything needed to restore its record if the catalogue has lost it.

A manifest is untrusted input: it must be a small regular file, its fields must have the right types, and its files must
be inside its directory. A URL may contain a signature, so only the owner may read a manifest.
"""

import contextlib
import errno
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from gglib.core.errors import UnsafeNameError
from gglib.core.file_names import safe_path
from gglib.core.models import ModelSource
from gglib.core.versions import FileIdentity, FileRole, NewVersion, OwnFile
from gglib.library.versions.layout import MANIFEST_NAME
from gglib.library.versions.storing import check_free
from gglib.system.files.durable import sync
from gglib.system.files.small_files import (
    MAX_SMALL_BYTES,
    open_regular,
    parse_json,
    read_small,
    warn_skipped_once,
)

FORMAT = 1
_MODE = 0o400
_MAX_NUMBER = 1 << 63
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SOURCE_FIELDS = frozenset(ModelSource.__slots__)
_NO_MANIFEST = "it is not a manifest of a version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The content of a version's manifest."""

    source: ModelSource
    files: tuple[OwnFile, ...]
    """The shards in order, then the projector; all inside the manifest's directory."""
    name: str = ""
    """The model's name at the time of the pull."""
    aliases: tuple[str, ...] = ()
    asked: str = ""
    """The ``gglib pull`` target."""
    job_key: str | None = None
    """Key of its pull; with ``started_at`` it identifies one publication."""
    started_at: int = 0
    """Unix time in seconds."""

    def version(self, directory: Path) -> NewVersion:
        """Return the version in ``directory``, from which the manifest was read."""
        return NewVersion(directory=directory, source=self.source, files=self.files)


def moved(manifest: Manifest, old: Path, new: Path) -> Manifest:
    """Return the manifest for a renamed directory."""
    files = tuple(replace(file, path=new / file.path.relative_to(old)) for file in manifest.files)
    return replace(manifest, files=files)


def manifest_path(directory: Path) -> Path:
    """Return the path of a version's manifest."""
    return directory / MANIFEST_NAME


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write the manifest of a directory durably. Raises OSError; ``FileExistsError`` if there is one."""
    path = manifest_path(directory)
    content = json.dumps(_to_json(manifest, directory), separators=(",", ":")).encode() + b"\n"
    if len(content) > MAX_SMALL_BYTES:
        raise OSError(errno.EFBIG, "its manifest would be too large", str(path))
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = open_regular(draft, flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, _MODE)
            os.fsync(descriptor)
        check_free(path)
        draft.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    sync(directory)


def read_manifest(directory: Path) -> Manifest | None:
    """Return the manifest of a directory; None if it is missing or invalid, which is logged once.

    Its files get the device of the directory, because device numbers change between boots.
    """
    path = manifest_path(directory)
    try:
        return _from_json(parse_json(read_small(path)), directory, directory.stat().st_dev)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (KeyError, TypeError, AttributeError):
        warn_skipped_once(path, ValueError(_NO_MANIFEST))
    except (OSError, ValueError) as error:
        warn_skipped_once(path, error)
    return None


def _to_json(manifest: Manifest, directory: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": manifest.name,
        "aliases": manifest.aliases,
        "asked": manifest.asked,
        "job": manifest.job_key,
        "started_at": manifest.started_at,
        "source": asdict(manifest.source),
        "files": [_file_to_json(file, directory) for file in manifest.files],
    }


def _file_to_json(file: OwnFile, directory: Path) -> dict[str, Any]:
    return {
        "path": PurePosixPath(file.path.relative_to(directory)).as_posix(),
        "name": file.name,
        "role": file.role.value,
        "size_bytes": file.identity.size_bytes,
        "sha256": file.sha256,
        "validator": file.validator,
        "inode": file.identity.inode,
        "modified_ns": file.identity.modified_ns,
    }


def _from_json(fields: Mapping[str, Any], directory: Path, device: int) -> Manifest:
    """Parse a manifest. Raises AttributeError, KeyError, TypeError or ValueError for an invalid one."""
    if fields["format"] != FORMAT:
        raise ValueError("its format is not supported by this version of gglib")
    if not isinstance(fields["files"], list) or not isinstance(fields["aliases"], list):
        raise TypeError(_NO_MANIFEST)
    if not _SOURCE_FIELDS.issuperset(fields["source"]):
        raise ValueError(_NO_MANIFEST)
    files = tuple(_file_from_json(file, directory, device) for file in fields["files"])
    if not files or files[0].role is not FileRole.MODEL or len({file.path for file in files}) < len(files):
        raise ValueError(_NO_MANIFEST)
    return Manifest(
        source=ModelSource(**{key: _text_or_none(value) for key, value in fields["source"].items()}),
        files=files,
        name=_text(fields["name"]),
        aliases=tuple(map(_text, fields["aliases"])),
        asked=_text(fields["asked"]),
        job_key=_text_or_none(fields["job"]),
        started_at=_number(fields["started_at"]),
    )


def _file_from_json(fields: Mapping[str, Any], directory: Path, device: int) -> OwnFile:
    sha256 = _text_or_none(fields["sha256"])
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise ValueError(_NO_MANIFEST)
    return OwnFile(
        path=directory / _inner_path(_text(fields["path"])),
        role=FileRole(_text(fields["role"])),
        name=_text(fields["name"]),
        identity=FileIdentity(
            device=device,
            inode=_number(fields["inode"]),
            size_bytes=_number(fields["size_bytes"]),
            modified_ns=_number(fields["modified_ns"], least=-_MAX_NUMBER),
        ),
        sha256=sha256,
        validator=_text_or_none(fields["validator"]),
    )


def _inner_path(path: str) -> PurePosixPath:
    """Return a path inside the directory. Raises ValueError."""
    try:
        return safe_path(path)
    except UnsafeNameError as error:
        raise ValueError("it names a file outside its directory") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object, *, least: int = 0) -> int:
    if type(value) is not int or not least <= value < _MAX_NUMBER:
        raise ValueError(_NO_MANIFEST)
    return value
