"""A home with incoming files, jobs and versions in it, for tests of what happens to files."""

import hashlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from gglib.core.hub.repository import RemoteFile
from gglib.core.models import ModelSource, ModelSummary, NewModel
from gglib.core.versions import (
    FileIdentity,
    FileRole,
    HomeIdentity,
    IncomingFile,
    InstalledVersion,
    NewVersion,
    PullJob,
    Version,
)
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.layout import incoming_key, job_key, version_directory

SHARDS = {"m-00001-of-00002.gguf": b"first shard", "m-00002-of-00002.gguf": b"second shard"}
VISION = {**SHARDS, "mmproj-m.gguf": b"projector"}
FOLDER = PurePosixPath("owner/name")
FILE_EVENTS = ("open", "os.", "shutil.", "fcntl.")
"""Audit events of calls that touch files."""


def hash_of(content: bytes) -> str:
    """Return the SHA-256 in hex digits."""
    return hashlib.sha256(content).hexdigest()


def models_in(home: Path) -> Path:
    """Return the ``models/`` of a new home."""
    models = home / "models"
    models.mkdir(parents=True)
    return models


def job_of(
    models: Path, contents: Mapping[str, bytes] = VISION, *, choice: str = "Q4_K_M", started_at: int = 1
) -> PullJob:
    """Return a fetched job whose files have these contents; none of them is there yet."""
    key = job_key("owner/name", choice=choice)
    files = tuple(_file(name, content, key) for name, content in contents.items())
    return PullJob(
        key=key,
        asked=f"owner/name:{choice}",
        name="m",
        aliases=(f"owner/name:{choice}",),
        source=ModelSource(origin="hub", repo="owner/name", revision="c0ffee", file=files[0].name),
        files=files,
        is_fetched=True,
        directory=version_directory(models, FOLDER, choice, files),
        started_at=started_at,
    )


def _file(name: str, content: bytes, key: str) -> IncomingFile:
    sha256 = hash_of(content)
    remote = RemoteFile(
        name=name, repo="owner/name", revision="c0ffee", size_bytes=len(content), sha256=sha256
    )
    return IncomingFile(
        name=name,
        role=FileRole.PROJECTOR if "mmproj" in name else FileRole.MODEL,
        key=incoming_key(remote, key),
        size_bytes=len(content),
        sha256=sha256,
    )


def directory_of(job: PullJob) -> Path:
    """Return where a job is to be published."""
    assert job.directory is not None
    return job.directory


def arrive(job: PullJob, models: Path, contents: Mapping[str, bytes] = VISION) -> Incoming:
    """Put the files of a job where fetches store them."""
    incoming = Incoming(models)
    incoming.prepare()
    for file in job.files:
        path = incoming.path(file.key)
        if not path.exists():
            path.write_bytes(contents[file.name])
    return incoming


def known(version: NewVersion, version_id: int = 1, *, is_retired: bool = True) -> Version:
    """Return a version as the catalogue knows it."""
    return Version(
        directory=version.directory,
        source=version.source,
        files=version.files,
        id=version_id,
        created_at=0,
        is_retired=is_retired,
    )


def names_in(directory: Path) -> list[str]:
    """Return what is in a directory."""
    return sorted(path.name for path in directory.iterdir())


def contents_of(directory: Path) -> dict[str, bytes]:
    """Return every file below a directory, by its path there."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def killed_at(call: int, action: Callable[[], object]) -> bool:
    """Run an action in a process that is killed at the given of its file calls; return whether it was.

    A kill at call 0 comes before the first one.
    """
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads, which earlier tests may have left: the child uses none of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _be_killed_at(call, action)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the action failed in the child"
    return False


def _be_killed_at(call: int, action: Callable[[], object]) -> None:
    left = [call]

    def on_audit_event(event: str, _arguments: tuple[object, ...]) -> None:
        if event.startswith(FILE_EVENTS):
            left[0] -= 1
            if left[0] == -1:
                os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        sys.addaudithook(on_audit_event)
        action()
        code = 0
    finally:
        os._exit(code)


@dataclass
class Store:
    """The part of a ``VersionStorePort`` that deals with files, in memory."""

    versions: list[Version] = field(default_factory=list)
    pulls: list[PullJob] = field(default_factory=list)

    async def list_versions(self) -> list[Version]:
        """Return every version."""
        return list(self.versions)

    async def list_models(self) -> list[ModelSummary]:
        """Return the models: none uses a file of a version that it does not have."""
        return []

    async def forget_files(self, version_id: int, paths: Sequence[Path]) -> None:
        """Forget files of a version, and the version with the last of them."""
        changed = []
        for version in self.versions:
            files = version.files
            if version.id == version_id:
                files = tuple(file for file in files if file.path not in paths)
            if files:
                changed.append(replace(version, files=files))
        self.versions = changed

    async def list_pulls(self) -> list[PullJob]:
        """Return the pulls."""
        return list(self.pulls)

    async def install_version(
        self,
        version: NewVersion,
        model: NewModel,
        *,
        updates: int | None = None,
        job_key: str | None = None,
        moved_aliases: Collection[tuple[int, str]] = (),
    ) -> InstalledVersion:
        """Not used here."""
        raise NotImplementedError

    async def add_version(self, version: NewVersion) -> Version:
        """Not used here."""
        raise NotImplementedError

    async def assign_version(self, model_id: int, version_id: int) -> ModelSummary | None:
        """Not used here."""
        raise NotImplementedError

    async def retire_unused(self, version_ids: Collection[int]) -> list[Version]:
        """Not used here."""
        raise NotImplementedError

    async def remove_with_version(self, model_id: int) -> tuple[ModelSummary, Version | None] | None:
        """Not used here."""
        raise NotImplementedError

    async def update_identities(self, identities: Mapping[Path, FileIdentity]) -> None:
        """Not used here."""
        raise NotImplementedError

    async def begin_pull(self, job: PullJob) -> None:
        """Not used here."""
        raise NotImplementedError

    async def end_pull(self, key: str) -> None:
        """Not used here."""
        raise NotImplementedError

    async def read_home(self) -> HomeIdentity | None:
        """Not used here."""
        raise NotImplementedError

    async def record_home(
        self, identity: HomeIdentity, *, resets_identities: bool, keeps_pulls: bool = False
    ) -> None:
        """Not used here."""
        raise NotImplementedError
