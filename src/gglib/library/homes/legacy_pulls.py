"""Pulls of an older gglib that have not ended become pulls of the catalogue, and go on with what has come.

Files came in their last place, as ``FILE.part`` with ``FILE.part.note`` beside it; a shard that was whole had its name
already. What no model uses is renamed to where files come in now; a file that a model uses gets another name there.
Nothing is taken that is not known to be gglib's: a part by its note, a whole file by the hash that its source promised,
or because nothing touched it since the note said that it had come. Blocks.
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
from gglib.library.versions.sharing import place
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
    """What is known of the notes that lie beside parts."""

    is_manifest: Callable[[bytes], bool]
    """Whether a file's content is a note of gglib's on a part."""
    etag_in: Callable[[bytes], str | None]
    """What distinguishes the version that a part is of, where its server named it."""
    renewed: Callable[[bytes, RemoteFile], bytes]
    """Returns an older note as this gglib goes by it."""


SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MigratedPull:
    """A pull on its way into the catalogue."""

    note: Path
    noted_ns: int
    """When the note was written, in ns since the epoch."""
    job: PullJob
    was_fetched: bool
    remotes: tuple[RemoteFile, ...]
    targets: tuple[Path, ...]
    """Where its files were to come, in the order of ``job.files``."""
    is_copy: bool
    """Whether it is the pull of another home, of which this one is a copy: it begins anew here."""

    folder: PurePosixPath
    """Below ``models/``, of its versions."""
    label: str

    def fetched_job(self, models_dir: Path) -> PullJob:
        """Return the pull once all of its files have come."""
        directory = version_directory(models_dir, self.folder, self.label, self.job.files)
        return replace(self.job, is_fetched=True, directory=directory)

    def updating(self, models: Iterable[ModelSummary]) -> "MigratedPull":
        """Return the pull with the model that it updates: the one whose files are where this one's were to come.

        ``models`` are as this home has them now: a row of a home that was moved has the paths of the older place at
        first.
        """
        updated = next((model for model in models if set(self.targets) & set(model.paths)), None)
        return replace(self, job=replace(self.job, updates=None if updated is None else updated.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyPulls:
    """The pulls that were noted in one ``models/`` directory."""

    home: Home
    part_manifests: PartManifests

    def read(self) -> list[MigratedPull]:
        """Return the pulls, without the models that they update; bad notes are skipped with a warning."""
        found = []
        for note in sorted((self.home.models_dir / PULLS).glob("*.json")):
            try:
                pull, noted_ns = read_pull(parse_json(read_small(note))), note.stat().st_mtime_ns
                found.append(self._carried(pull, note, noted_ns))
            except FileNotFoundError:
                continue  # it has ended meanwhile
            except (OSError, ValueError, GglibError) as error:
                warn_skipped_once(note, error)
        return found

    @contextmanager
    def alone_with(self, pull: MigratedPull) -> Iterator[bool]:
        """Hold the locks of an older gglib at work on a pull; yield False where one is. Raises OSError."""
        lock = pull.note.with_suffix(".lock")
        with ExitStack() as held:
            try:
                held.enter_context(_locked(lock, flags=os.O_RDWR | os.O_CREAT))
                held.callback(lock.unlink, missing_ok=True)  # while it is held
                for target in pull.targets:
                    with contextlib.suppress(FileNotFoundError):
                        held.enter_context(_locked(part_manifest_path(target)))
            except BlockingIOError:
                yield False
                return
            yield True

    def verified(self, pull: MigratedPull, known: Collection[Path]) -> dict[Path, str]:
        """Return the SHA-256 of the whole files that the pull has brought, by their paths; may read them whole.

        ``known`` are files of which something else says what they are: an update of them has brought nothing yet.
        """
        found = {}
        for target, file in zip(pull.targets, pull.job.files, strict=True):
            status = status_of(target)
            if status is None or file.sha256 is None or file.size_bytes not in {None, status.st_size}:
                continue
            is_as_noted = pull.was_fetched and has_not_changed_since(target, pull.noted_ns)
            if is_as_noted or (target not in known and hash_of(target, status) == file.sha256):
                found[target] = file.sha256
        return found

    def bring(
        self, pull: MigratedPull, verified: Mapping[Path, str], used: Collection[tuple[int, int]]
    ) -> bool:
        """Have what came of a pull where files come in now; return whether that is all of it.

        ``used`` are the files of models, by device and inode. Can be repeated. Raises OSError.
        """
        incoming = Incoming(self.home.models_dir)
        incoming.prepare()
        for target, remote, file in zip(pull.targets, pull.remotes, pull.job.files, strict=True):
            final = incoming.path(file.key)
            self._bring_part(target, final, remote, keeps=not pull.is_copy)
            if target in verified:
                _bring_whole(target, final, used, links=pull.was_fetched)
        for folder in {incoming.directory, *(target.parent for target in pull.targets)}:
            with contextlib.suppress(FileNotFoundError):
                sync(folder)
        return all(status_of(incoming.path(file.key)) is not None for file in pull.job.files)

    def _bring_part(self, target: Path, final: Path, remote: RemoteFile, *, keeps: bool) -> None:
        """Rename a part, then its note; or delete both, where they are of no use. What is no part of ours stays."""
        part, note = part_path(target), part_manifest_path(target)
        if not self._is_own_part(part, note):
            return
        keeps = keeps and not os.path.lexists(final)
        if keeps:
            self._renew(note, remote)
        for old, new in ((part, part_path(final)), (note, part_manifest_path(final))):
            if status_of(old) is None:
                continue
            if keeps and not os.path.lexists(new):
                old.rename(new)
            else:
                old.unlink()

    def _is_own_part(self, part: Path, note: Path) -> bool:
        """Whether a part, if there is one, has a note of gglib's beside it; nothing has come of one that is empty."""
        status = status_of(part)
        try:
            content = read_small(note)
        except OSError:
            return False
        return self.part_manifests.is_manifest(content) or (
            not content and (status is None or status.st_size == 0)
        )

    def _carried(self, pull: LegacyPullRecord, note: Path, noted_ns: int) -> MigratedPull:
        """Return what a note becomes. Raises ValueError for files outside of this home, and ``GglibError``."""
        found = [self._here(file.target) for file in pull.all_files]
        targets = tuple(target for target, _ in found)
        source, label = _source_of(pull)
        remotes = tuple(
            self._remote(file, target, source) for file, target in zip(pull.all_files, targets, strict=True)
        )
        job = _job_of(pull, source, label, remotes)
        return MigratedPull(
            note=note,
            noted_ns=noted_ns,
            job=replace(job, started_at=noted_ns // SECOND_NS),
            was_fetched=pull.is_fetched,
            remotes=remotes,
            targets=targets,
            is_copy=any(is_copy for _, is_copy in found),
            folder=folder_of(source),
            label=label,
        )

    def _remote(self, file: LegacyPullFile, target: Path, source: ModelSource) -> RemoteFile:
        """Return what the same pull fetches now; of an address, the version of which a part is here."""
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

    def _renew(self, note: Path, remote: RemoteFile) -> None:
        """Have a note say what its part is, as this gglib reads it. Torn by a kill, its part begins anew."""
        with contextlib.suppress(FileNotFoundError):
            content = read_small(note)
            renewed = self.part_manifests.renewed(content, remote)
            if renewed != content:
                descriptor = open_regular(note, flags=os.O_WRONLY)
                try:
                    os.pwrite(descriptor, renewed, 0)
                finally:
                    os.close(descriptor)

    def _here(self, target: Path) -> tuple[Path, bool]:
        """Return where a file of an older note is in this home, and whether that is a copy of the one it is in."""
        is_copy = False
        if not target.is_relative_to(self.home.models_dir):
            target, is_copy = moved_here(target, self.home)
        root = os.path.realpath(self.home.models_dir)
        if ".." in target.parts or not Path(os.path.realpath(target.parent)).is_relative_to(root):
            raise ValueError(f"it names a file outside of {self.home.models_dir}")
        return target, is_copy


def moved_here(path: Path, home: Home) -> tuple[Path, bool]:
    """Return where a file is that another home had, or this one in another place; and whether that one is still used.

    Raises ValueError where no part of the path is a home.
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


def _bring_whole(target: Path, final: Path, used: Collection[tuple[int, int]], *, links: bool) -> None:
    """Give a whole file its incoming name; what a model uses keeps its own, too, and is shared once it is asked for."""
    status = status_of(target)
    if status is None:
        return
    is_used, is_here = (status.st_dev, status.st_ino) in used, os.path.lexists(final)
    if not is_used and is_here:
        target.unlink()
    elif not is_used:
        target.rename(final)
    elif links and not is_here:
        place(target, final)


def _job_of(
    pull: LegacyPullRecord, source: ModelSource, label: str, remotes: Sequence[RemoteFile]
) -> PullJob:
    """Return the pull that the same ``gglib pull`` begins now."""
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
    """Return where a pull is from, with what only what was asked for says, and the label of its versions."""
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
    """Hold a file's lock without waiting. Raises BlockingIOError where it is held, and other OSErrors."""
    descriptor = open_regular(path, flags=flags)
    try:
        flock_if_possible(descriptor, fcntl.LOCK_EX)
        if not os.path.samestat(os.fstat(descriptor), path.lstat()):
            raise BlockingIOError
        yield
    finally:
        os.close(descriptor)


def files_of(models: Iterable[ModelSummary]) -> set[tuple[int, int]]:
    """Return the files of models by device and inode: a file is the same under each of its names."""
    found = set()
    for path in (path for model in models for path in model.all_files):
        with contextlib.suppress(OSError, ValueError):
            status = path.stat()
            found.add((status.st_dev, status.st_ino))
    return found
