"""What gglib wrote below ``models/``: versions of models, their files, and pulls that have not ended. Values only.

A version is what one pull brought: every shard, the projector, and where they came from. Its files are never written
again; a newer version gets a directory of its own, and the model's row moves to it in one transaction. gglib deletes
and replaces only the files of versions, and only while they are the files that it wrote (``FileIdentity``).
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gglib.core.models import ModelSource, ModelSummary


class FileRole(StrEnum):
    """What a file is for."""

    MODEL = "model"
    """The model, or a shard of it."""
    PROJECTOR = "projector"


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What distinguishes a file on the disk from another one in its place (``os.stat_result``).

    The device and the inode are None where they are not known any more: in a home that was copied or moved to another
    file system. Then only the content decides.
    """

    device: int | None
    inode: int | None
    size_bytes: int
    modified_ns: int | None

    @property
    def is_complete(self) -> bool:
        """Whether a look at a file tells whether it is this one; else its content has to be read."""
        return None not in {self.device, self.inode, self.modified_ns}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A file that gglib wrote."""

    path: Path
    """Absolute in memory; the catalogue and the manifest store it relative to the home."""
    role: FileRole
    name: str
    """In its repository, or the last part of its address."""
    identity: FileIdentity
    sha256: str | None
    """In hex digits, of what is on the disk; None in homes of an older gglib that did not compute it."""
    validator: str | None = None
    """What its server said to distinguish its versions (``ETag``, else ``Last-Modified``); of an address only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version to be put into the catalogue."""

    directory: Path | None
    """Holds the files of this version and its manifest, nothing else. None: the files lie among others, as older gglibs
    put them, and as the starter model does."""
    source: ModelSource
    files: tuple[OwnFile, ...]
    """The shards in order, the projector after them."""

    @property
    def hold_path(self) -> Path:
        """What a lock (``flock``) is taken on: shared while the files are used, exclusive to delete them."""
        return self.directory or self.files[0].path


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(NewVersion):
    """A version that the catalogue knows."""

    id: int
    created_at: int
    """Unix time in seconds."""
    is_retired: bool = False
    """Whether it is to be deleted as soon as nothing uses it; no model has it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingFile:
    """One file of a pull that has not ended."""

    name: str
    """Its path inside the version's directory, safe by ``file_names.safe_path``."""
    role: FileRole
    key: str
    """Names it below ``models/.incoming`` while it comes; the same for the same content, whatever pull brings it."""
    size_bytes: int | None
    sha256: str | None
    """As the source promises it; once ``PullJob.is_fetched``, of what is on the disk."""
    validator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullJob:
    """A pull that has not ended: from before its first byte until its row is in the catalogue."""

    key: str
    """The same for every pull of the same thing: a repository or an address, the revision that was asked for, and the
    quantization or the file."""
    asked: str
    """What to name to ``gglib pull`` to go on with it."""
    name: str
    aliases: tuple[str, ...]
    source: ModelSource
    files: tuple[IncomingFile, ...]
    """The shards in order, the projector after them."""
    updates: int | None = None
    """The id of the model that is brought up to date; None for a new one."""
    is_fetched: bool = False
    """Whether all files were seen to arrive whole and have the right content."""
    directory: Path | None = None
    """Where the version is published; set before the directory gets its name."""
    started_at: int = 0
    """Unix time in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledVersion:
    """What entering a version into the catalogue changed."""

    model: ModelSummary
    version: Version
    replaced: Version | None = None
    """The version that the model had before; retired where no other model has it."""
    refused_aliases: tuple[str, ...] = ()
    """Aliases of the pull that another model had taken meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeIdentity:
    """What distinguishes a home from a copy of it."""

    id: str
    """Random, kept in the catalogue and in ``models/.home``; a copy gets a new one."""
    device: int
    inode: int
    """Of the home's directory."""
    models_device: int
    models_inode: int
    """Of ``models/``, links followed: two homes may not share it."""
