"""Files that gglib wrote below ``models/``: versions of models, their files, and unfinished pulls. Values only.

A version is the result of one pull: every shard, the projector, and their source. Its files are immutable; a newer
version gets its own directory, and the model's row moves to it in one transaction. gglib deletes and replaces only the
files of versions, and only while they are unchanged (``FileIdentity``).
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gglib.core.models import ModelSource, ModelSummary


class FileRole(StrEnum):
    """The role of a file in its version."""

    MODEL = "model"
    """The model, or one of its shards."""
    PROJECTOR = "projector"


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Identifies a file on the disk (``os.stat_result``), so that a replaced file is recognised.

    Device and inode are None if they are no longer valid: in a home that was copied, or moved to another file system.
    Then only the content decides.
    """

    device: int | None
    inode: int | None
    size_bytes: int
    modified_ns: int | None

    @property
    def is_complete(self) -> bool:
        """Whether ``stat`` is enough to compare a file; else its content has to be read."""
        return None not in {self.device, self.inode, self.modified_ns}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A file that gglib wrote."""

    path: Path
    """Absolute in memory; the catalogue and the manifest store it relative to the home."""
    role: FileRole
    name: str
    """Its path in the repository, or the last component of its URL."""
    identity: FileIdentity
    sha256: str | None
    """Hex digest of the file on the disk; None in homes of an older gglib that did not compute it."""
    validator: str | None = None
    """The server's validator (``ETag``, else ``Last-Modified``); set for URLs only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version to record in the catalogue."""

    directory: Path | None
    """Contains the files of this version and its manifest, nothing else. None if the files share a directory with other
    files, as in older gglibs and for the starter model."""
    source: ModelSource
    files: tuple[OwnFile, ...]
    """The shards in order, then the projector."""

    @property
    def hold_path(self) -> Path:
        """The path to lock with ``flock``: shared while the files are in use, exclusive to delete them."""
        return self.directory or self.files[0].path


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(NewVersion):
    """A version that is recorded in the catalogue."""

    id: int
    created_at: int
    """Unix time in seconds."""
    is_retired: bool = False
    """Whether no model has it any more: it is deleted as soon as it is unused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingFile:
    """One file of an unfinished pull."""

    name: str
    """Its path inside the version's directory, safe by ``file_names.safe_path``."""
    role: FileRole
    key: str
    """Its name below ``models/.incoming`` until it is published; content-addressed, so that pulls share it."""
    size_bytes: int | None
    sha256: str | None
    """The hash that the source names; once ``PullJob.is_fetched``, that of the file on the disk."""
    validator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullJob:
    """An unfinished pull: recorded before the first byte, removed when its model is in the catalogue."""

    key: str
    """Derived from what is pulled: the repository or URL, the requested revision, and the quantization or file."""
    asked: str
    """The ``gglib pull`` target that resumes it."""
    name: str
    aliases: tuple[str, ...]
    source: ModelSource
    files: tuple[IncomingFile, ...]
    """The shards in order, then the projector."""
    updates: int | None = None
    """The id of the model that is updated; None for a new model."""
    is_fetched: bool = False
    """Whether all files are complete and verified."""
    directory: Path | None = None
    """Where the version is published; recorded before the directory is renamed to it."""
    started_at: int = 0
    """Unix time in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledVersion:
    """What installing a version changed in the catalogue."""

    model: ModelSummary
    version: Version
    replaced: Version | None = None
    """The version that the model had before; retired if no other model has it."""
    refused_aliases: tuple[str, ...] = ()
    """Aliases of the pull that another model has taken in the meantime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeIdentity:
    """Distinguishes a home from its copies."""

    id: str
    """Random, kept in the catalogue and in ``models/.home``; a copy gets a new one."""
    device: int
    inode: int
    """Inode of the home directory."""
    models_device: int
    models_inode: int
    """Inode of ``models/``, links followed. Two homes may share one ``models/``."""
