"""Writes homes as gglib 0.1 left them: a catalogue of format 3, models in place, and records beside them."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gglib.core.hub.repository import RemoteFile
from gglib.core.models import ModelSource
from gglib.db.migrations import MIGRATIONS, migrate
from gglib.gguf import read_model
from gglib.hf.download.byte_ranges import ByteRanges
from gglib.hf.download.manifest import IDENTITY_BYTES, Progress, encode_progress
from gglib.hf.download.part_file import read_boot_id

FORMAT = 3
"""Format of the catalogue's tables."""
REMOTE_FIELDS = ("name", "repo", "revision", "url", "size_bytes", "sha256")
SOURCE_FIELDS = ("origin", "repo", "revision", "file", "sha256")


@dataclass(frozen=True, slots=True)
class OldModel:
    """A row."""

    name: str
    paths: tuple[Path, ...]
    source: ModelSource = field(default_factory=ModelSource)
    aliases: tuple[str, ...] = ()
    projector: Path | None = None
    is_downloaded: bool = True
    hashes: tuple[str | None, ...] | None = None
    """None: the hashes of the files."""


class OldHome:
    """A home without models; its methods add data in an older gglib's format."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.models = directory / "models"
        self.models.mkdir(parents=True)
        with self._database() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection, MIGRATIONS[:FORMAT])

    def add(self, model: OldModel) -> None:
        """Add a model to the catalogue, as an older pull or add did."""
        files = read_model(model.paths[0])
        hashes = model.hashes
        if hashes is None:
            hashes = tuple(sha256_of(path) if model.is_downloaded else None for path in model.paths)
        columns: dict[str, Any] = {
            "description": "",
            "size_bytes": files.size_bytes,
            "architecture": files.facts.architecture,
            "can_chat": 1,
            "can_use_tools": 0,
            "can_reason": 0,
            "can_see": int(model.projector is not None),
            "can_embed": 0,
            "engine_args": "[]",
            "added_at": 1,
            "projector": None if model.projector is None else str(model.projector),
            "projector_sha256": None
            if model.projector is None or not model.is_downloaded
            else sha256_of(model.projector),
            "is_downloaded": int(model.is_downloaded),
            **{f"source_{key}": getattr(model.source, key) for key in SOURCE_FIELDS},
        }
        with self._database() as connection:
            names = ", ".join(columns)
            marks = ", ".join("?" * len(columns))
            cursor = connection.execute(
                f"INSERT INTO models ({names}) VALUES ({marks})",  # noqa: S608 - constants
                tuple(columns.values()),
            )
            for position, name in enumerate((model.name, *model.aliases)):
                connection.execute(
                    "INSERT INTO names (folded, spelling, model_id, position) VALUES (?, ?, ?, ?)",
                    (name.casefold(), name, cursor.lastrowid, position),
                )
            for position, (path, sha256) in enumerate(zip(model.paths, hashes, strict=True)):
                connection.execute(
                    "INSERT INTO model_paths (model_id, position, path, sha256) VALUES (?, ?, ?, ?)",
                    (cursor.lastrowid, position, str(path), sha256),
                )

    def record(self, path: Path, source: ModelSource, *, is_verified: bool = True) -> Path:
        """Write the record of a file that gglib wrote, in its present state; return it."""
        status, name = path.lstat(), path.relative_to(self.models).as_posix()
        return self.write(
            self.models / ".written" / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json",
            {
                "format": 1,
                "path": name,
                "size_bytes": status.st_size,
                "changed_ns": status.st_mtime_ns if is_verified else None,
                "sha256": sha256_of(path),
                "source": source_fields(source),
            },
        )

    def pull(
        self,
        name: str,
        asked: str,
        source: ModelSource,
        files: Sequence[tuple[Path, bytes]],
        *,
        projector: tuple[Path, bytes] | None = None,
        aliases: tuple[str, ...] = (),
        is_fetched: bool = False,
        has_hashes: bool = True,
    ) -> Path:
        """Write the record of a pull of files with these contents; return it."""
        return self.write(
            self.pull_record(files[0][0]),
            {
                "format": 1,
                "asked": asked,
                "name": name,
                "aliases": list(aliases),
                "source": source_fields(source),
                "files": [_pull_file(path, content, has_hash=has_hashes) for path, content in files],
                "projector": None if projector is None else _pull_file(*projector),
                "is_fetched": is_fetched,
            },
        )

    def pull_record(self, first: Path) -> Path:
        """Return the path of a pull's record."""
        return self.models / ".pulls" / f"{hashlib.sha256(os.fsencode(first)).hexdigest()[:16]}.json"

    def removal(self, *paths: Path) -> Path:
        """Write the record of a removal; return it."""
        return self.write(self.models / ".removals" / "0123456789abcdef.json", [str(path) for path in paths])

    def part(
        self,
        target: Path,
        content: bytes,
        here_bytes: int,
        *,
        remote: RemoteFile,
        etag: str | None = None,
    ) -> None:
        """Write the result of a killed fetch: a file's first bytes, and their record."""
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(target.name + ".part").write_bytes(content[:here_bytes])
        line = json.dumps(
            {
                "key": older_key(remote),
                "size_bytes": len(content),
                "etag": etag,
                "name": remote.name,
                "repo": remote.repo,
                "revision": remote.revision,
                "sha256": remote.sha256,
            }
        )
        identity = (line.encode() + b"\n").ljust(IDENTITY_BYTES, b"\0")
        here = ByteRanges.of([(0, here_bytes)])
        progress = Progress(received=here, durable=here, boot_id=read_boot_id())
        target.with_name(target.name + ".part.note").write_bytes(
            identity + encode_progress(progress, identity)
        )

    def write(self, record: Path, value: object) -> Path:
        """Write a record as ``json.dump`` does."""
        record.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value, file)
        return record

    def _database(self) -> "closing[sqlite3.Connection]":
        return closing(sqlite3.connect(self.directory / "gglib.db", isolation_level=None))


def older_key(file: RemoteFile) -> str:
    """Return a file's key in the record of its part."""
    if file.sha256 is not None and file.size_bytes is not None:
        content = f"{file.size_bytes} {file.sha256}"
    else:
        fields = {key: getattr(file, key) for key in REMOTE_FIELDS}
        content = json.dumps(fields, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def source_fields(source: ModelSource) -> dict[str, str | None]:
    """Return the fields of a source in the older format."""
    return {key: value for key, value in asdict(source).items() if key in SOURCE_FIELDS}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pull_file(path: Path, content: bytes, *, has_hash: bool = True) -> dict[str, object]:
    sha256 = hashlib.sha256(content).hexdigest() if has_hash else None
    return {"target": str(path), "size_bytes": len(content), "sha256": sha256}
