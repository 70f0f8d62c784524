"""Migrates unfinished pulls of gglib 0.1 to the catalogue, so that they resume with the downloaded data.

gglib 0.1 downloaded to the final path, as ``FILE.part`` with ``FILE.part.manifest``; complete shards already had their
final name. Files that no model uses are moved to the incoming directory; files in use are linked there. Only files of
gglib are taken: a part file with a manifest, a complete file with the expected hash, or one that is unchanged since the
record says that it was downloaded. Blocks.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from gglib.core.errors import GglibError
from gglib.core.gguf_names import stem_of
from gglib.core.hub.repository import RemoteFile
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.part_names import part_manifest_path, part_path
from gglib.core.versions import FileRole, IncomingFile, PullJob
from gglib.library.homes.legacy_files import has_not_changed_since, name_there
from gglib.library.homes.legacy_records import (
    PULLS,
    LegacyPullFile,
    LegacyPullRecord,
    below_models,
    read_pull,
)
from gglib.library.homes.location import Home
from gglib.library.variants.pull_target import PullTarget, read_target
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.layout import incoming_key, job_key, version_directory
from gglib.library.versions.ownership import hash_of, status_of
from gglib.library.versions.reconcile import folder_of
from gglib.library.versions.sharing import link_or_copy
from gglib.system.files.durable import sync
from gglib.system.files.locks import flock_if_possible
from gglib.system.files.small_files import (
    open_regular,
    parse_json,
    read_small,
    warn_skipped_once,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartManifests:
    """Functions on the manifests of part files."""

    is_manifest: Callable[[bytes], bool]
    """Whether a file's content is the manifest of a part file."""
    etag_in: Callable[[bytes], str | None]
    """Returns the ``ETag`` in a manifest, if the server sent one."""
    renewed: Callable[[bytes, RemoteFile], bytes]
    """Returns an older manifest in the current format."""


SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MigratedPull:
    """A pull that is being migrated."""

    record: Path
    recorded_ns: int
    """When the record was written, in ns since the epoch."""
    job: PullJob
    was_fetched: bool
    remotes: tuple[RemoteFile, ...]
    targets: tuple[Path, ...]
    """The final paths of its files, in the order of ``job.files``."""
    is_copy: bool
    """Whether it belongs to another home that this one is a copy of: its download restarts."""

    folder: PurePosixPath
    """Folder of its versions, below ``models/``."""
    label: str

    def fetched_job(self, models_dir: Path) -> PullJob:
        """Return the job with all files downloaded."""
        directory = version_directory(models_dir, self.folder, self.label, self.job.files)
        return replace(self.job, is_fetched=True, directory=directory)

    def updating(self, models: Iterable[ModelSummary]) -> "MigratedPull":
        """Return the pull with the model that it updates: the one that has its target paths.

        ``models`` must have the current paths: rows of a moved home have the old paths before their migration.
        """
        updated = next((model for model in models if set(self.targets) & set(model.paths)), None)
        return replace(self, job=replace(self.job, updates=None if updated is None else updated.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyPulls:
    """The recorded pulls of one ``models/`` directory."""

    home: Home
    part_manifests: PartManifests

    def read(self) -> list[MigratedPull]:
        """Return the pulls, without the models that they update; invalid records are skipped with a warning."""
        found = []
        for record in sorted((self.home.models_dir / PULLS).glob("*.json")):
            try:
                pull, recorded_ns = read_pull(parse_json(read_small(record))), record.stat().st_mtime_ns
                found.append(self._migrated(pull, record, recorded_ns))
            except FileNotFoundError:
                continue  # it ended meanwhile
            except (OSError, ValueError, GglibError) as error:
                warn_skipped_once(record, error)
        return found

    @contextmanager
    def locked(self, pull: MigratedPull) -> Iterator[bool]:
        """Hold the locks of a pull; yield False if an older gglib is running it. Raises OSError."""
        lock = pull.record.with_suffix(".lock")
        with ExitStack() as stack:
            try:
                stack.enter_context(_locked(lock, flags=os.O_RDWR | os.O_CREAT))
                stack.callback(lock.unlink, missing_ok=True)  # while it is held
                for target in pull.targets:
                    with contextlib.suppress(FileNotFoundError):
                        stack.enter_context(_locked(part_manifest_path(target)))
            except BlockingIOError:
                yield False
                return
            yield True

    def verified(self, pull: MigratedPull, known: Collection[Path]) -> dict[Path, str]:
        """Return the SHA-256 of the complete files that the pull downloaded, by path; may read whole files.

        ``known`` are files with another record: an update has not downloaded them yet.
        """
        found = {}
        for target, file in zip(pull.targets, pull.job.files, strict=True):
            status = status_of(target)
            if status is None or file.sha256 is None or file.size_bytes not in {None, status.st_size}:
                continue
            is_unchanged = pull.was_fetched and has_not_changed_since(target, pull.recorded_ns)
            if is_unchanged or (target not in known and hash_of(target, status) == file.sha256):
                found[target] = file.sha256
        return found

    def transfer(
        self, pull: MigratedPull, verified: Mapping[Path, str], used: Collection[tuple[int, int]]
    ) -> bool:
        """Transfer the downloaded files of a pull to the incoming directory; return whether the pull is complete.

        ``used`` are the files of models, by device and inode. Idempotent. Raises OSError.
        """
        incoming = Incoming(self.home.models_dir)
        incoming.prepare()
        for target, remote, file in zip(pull.targets, pull.remotes, pull.job.files, strict=True):
            final = incoming.path(file.key)
            self._transfer_part(target, final, remote, keeps=not pull.is_copy)
            if target in verified:
                _transfer_file(target, final, used, links=pull.was_fetched)
        for folder in {incoming.directory, *(target.parent for target in pull.targets)}:
            with contextlib.suppress(FileNotFoundError):
                sync(folder)
        return all(status_of(incoming.path(file.key)) is not None for file in pull.job.files)

    def _transfer_part(self, target: Path, final: Path, remote: RemoteFile, *, keeps: bool) -> None:
        """Move a part file and its manifest, or delete both if they are not needed. Files of others stay."""
        part, manifest = part_path(target), part_manifest_path(target)
        if not self._is_own_part(part, manifest):
            return
        keeps = keeps and not os.path.lexists(final)
        if keeps:
            self._renew(manifest, remote)
        for old, new in ((part, part_path(final)), (manifest, part_manifest_path(final))):
            if status_of(old) is None:
                continue
            if keeps and not os.path.lexists(new):
                old.rename(new)
            else:
                old.unlink()

    def _is_own_part(self, part: Path, manifest: Path) -> bool:
        """Whether a part file has a manifest of gglib; an empty part file may have an empty manifest."""
        status = status_of(part)
        try:
            content = read_small(manifest)
        except OSError:
            return False
        return self.part_manifests.is_manifest(content) or (
            not content and (status is None or status.st_size == 0)
        )

    def _migrated(self, pull: LegacyPullRecord, record: Path, recorded_ns: int) -> MigratedPull:
        """Return the pull of a record. Raises ValueError for files outside this home, and ``GglibError``."""
        found = [self._here(file.target) for file in pull.all_files]
        targets = tuple(target for target, _ in found)
        source, label = _source_of(pull)
        remotes = tuple(
            self._remote(file, target, source) for file, target in zip(pull.all_files, targets, strict=True)
        )
        job = _job_of(pull, source, label, remotes)
        return MigratedPull(
            record=record,
            recorded_ns=recorded_ns,
            job=replace(job, started_at=recorded_ns // SECOND_NS),
            was_fetched=pull.is_fetched,
            remotes=remotes,
            targets=targets,
            is_copy=any(is_copy for _, is_copy in found),
            folder=folder_of(source),
            label=label,
        )

    def _remote(self, file: LegacyPullFile, target: Path, source: ModelSource) -> RemoteFile:
        """Return the remote file of a target; for a URL, with the validator of the part file."""
        etag = None
        if source.url is not None:
            with contextlib.suppress(OSError):
                etag = self.part_manifests.etag_in(read_small(part_manifest_path(target)))
        return RemoteFile(
            name=name_there(PurePosixPath(target.relative_to(self.home.models_dir)), source),
            repo=source.repo,
            revision=source.revision if source.repo is not None else None,
            url=source.url,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            validator=etag,
        )

    def _renew(self, manifest: Path, remote: RemoteFile) -> None:
        """Rewrite a manifest in the current format. If a kill interrupts this, the part file is downloaded again."""
        with contextlib.suppress(FileNotFoundError):
            content = read_small(manifest)
            renewed = self.part_manifests.renewed(content, remote)
            if renewed != content:
                descriptor = open_regular(manifest, flags=os.O_WRONLY)
                try:
                    os.pwrite(descriptor, renewed, 0)
                finally:
                    os.close(descriptor)

    def _here(self, target: Path) -> tuple[Path, bool]:
        """Return the path of a recorded file in this home, and whether this home is a copy of the recorded one."""
        is_copy = False
        if not target.is_relative_to(self.home.models_dir):
            target, is_copy = moved_here(target, self.home)
        root = os.path.realpath(self.home.models_dir)
        if ".." in target.parts or not Path(os.path.realpath(target.parent)).is_relative_to(root):
            raise ValueError(f"it names a file outside of {self.home.models_dir}")
        return target, is_copy


def moved_here(path: Path, home: Home) -> tuple[Path, bool]:
    """Return the path in this home of a file of a former or other home, and whether that home is still in use.

    Raises ValueError if no part of the path is a home.
    """
    found = [(root, home.models_dir / rest) for root, rest in below_models(path)]
    for root, here in found:
        if _is_home(root, home):
            return here, not root.samefile(home.directory)
    for _, here in found:
        if here.parent.is_dir():
            return here, False
    raise ValueError(f"it names a file outside of {home.models_dir}")


def _is_home(root: Path, home: Home) -> bool:
    try:
        return (root / home.database.name).is_file()
    except (OSError, ValueError):
        return False


def _transfer_file(target: Path, final: Path, used: Collection[tuple[int, int]], *, links: bool) -> None:
    """Move a complete file to its incoming path; a file that a model uses is linked if ``links``, else left."""
    status = status_of(target)
    if status is None:
        return
    is_used, is_here = (status.st_dev, status.st_ino) in used, os.path.lexists(final)
    if not is_used and is_here:
        target.unlink()
    elif not is_used:
        target.rename(final)
    elif links and not is_here:
        link_or_copy(target, final)


def _job_of(
    pull: LegacyPullRecord, source: ModelSource, label: str, remotes: Sequence[RemoteFile]
) -> PullJob:
    """Return the job that the same ``gglib pull`` creates now."""
    if source.url is not None:
        key = job_key(source.url)
    else:
        key = job_key(source.repo or "", asked_revision=source.asked_revision, choice=label)
    roles = [FileRole.MODEL] * len(pull.files) + [FileRole.PROJECTOR] * (pull.projector is not None)
    files = [
        IncomingFile(
            name=remote.name,
            role=role,
            key=incoming_key(remote, key),
            size_bytes=remote.size_bytes,
            sha256=remote.sha256,
            validator=remote.validator,
        )
        for remote, role in zip(remotes, roles, strict=True)
    ]
    return PullJob(
        key=key, asked=pull.asked, name=pull.name, aliases=pull.aliases, source=source, files=tuple(files)
    )


def _source_of(pull: LegacyPullRecord) -> tuple[ModelSource, str]:
    """Return the source of a pull, completed from its target, and the label of its versions."""
    source = pull.source
    stem = stem_of(source.file or pull.files[0].target.name)
    if source.repo is None:
        return replace(source, url=pull.asked), stem
    try:
        target = read_target(pull.asked)
    except GglibError:
        target = PullTarget()
    return replace(source, asked_revision=target.revision), target.quantization or stem


@contextmanager
def _locked(path: Path, *, flags: int = os.O_RDONLY) -> Iterator[None]:
    """Hold a file's lock without waiting. Raises BlockingIOError if it is held, and other OSErrors."""
    descriptor = open_regular(path, flags=flags)
    try:
        flock_if_possible(descriptor, fcntl.LOCK_EX)
        if not os.path.samestat(os.fstat(descriptor), path.lstat()):
            raise BlockingIOError
        yield
    finally:
        os.close(descriptor)


def files_of(models: Iterable[ModelSummary]) -> set[tuple[int, int]]:
    """Return the files of models by device and inode, which are the same for all hard links."""
    found = set()
    for path in (path for model in models for path in model.all_files):
        with contextlib.suppress(OSError, ValueError):
            status = path.stat()
            found.add((status.st_dev, status.st_ino))
    return found
