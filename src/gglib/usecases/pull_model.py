"""Pulls a model: its files arrive, are verified and get their names, and then it is in the catalogue. In that order.

What a pull is about to do is written down first (``PullJournal``), so that one that was killed between its last file
and its row is finished at the next start. Knows the core only; what reads headers is passed in.
"""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gglib.core.disk_room import SPARE_BYTES
from gglib.core.errors import (
    DiskFullError,
    DownloadCorruptError,
    GglibError,
    InvalidGgufError,
    ModelExistsError,
    StorageError,
    UnreadableFileError,
)
from gglib.core.hub import FetchedFile
from gglib.core.models import ModelSource, ModelSummary, NewModel
from gglib.core.part_names import part_path
from gglib.core.ports import ModelHubPort, ModelStorePort, TellFetched
from gglib.core.size_words import size_words
from gglib.usecases.add_model import ModelFiles, ModelReader
from gglib.usecases.file_hash import hash_file
from gglib.usecases.own_files import OwnFiles
from gglib.usecases.plan_pull import PullFile, PullPlan
from gglib.usecases.pull_journal import JobFile, PullJob, PullJournal, bytes_on_disk
from gglib.usecases.removal_journal import delete_files

DOWNLOADING, VERIFYING, ADDING = "downloading", "verifying", "adding"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """How far a pull is."""

    file: str
    """The file that is worked on, by its name in the repository."""
    done_bytes: int
    """Of all files together."""
    total_bytes: int | None
    """Of all files together; None where a server does not say."""
    phase: str
    """``downloading``, ``verifying`` or ``adding``."""


TellPull = Callable[[PullProgress], None]
"""May be called from any thread, and often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Puller:
    """Carries plans out."""

    hub: ModelHubPort
    store: ModelStorePort
    journal: PullJournal
    read_model: ModelReader

    @property
    def _own(self) -> OwnFiles:
        return OwnFiles(self.journal.models_dir)

    async def pull(self, plan: PullPlan, progress: TellPull) -> ModelSummary:
        """Bring the files of ``plan`` and put the model into the catalogue, or bring the one there up to date.

        Interrupted in whatever way, the same pull goes on where this one ended. Raises ``HubError``,
        ``InvalidGgufError`` when the file is not one that an engine could load (it is deleted then, unless a model of
        the catalogue has it), and the store's errors.
        """
        job = _job_of(plan)
        await asyncio.to_thread(_make_room, plan)
        with self.journal.held(job):
            await self._refuse_foreign_files(plan)
            return await self._pull(plan, job, progress)

    async def _pull(self, plan: PullPlan, job: PullJob, progress: TellPull) -> ModelSummary:
        async with self._own.changing():  # from here on no gglib deletes what is there already
            await asyncio.to_thread(self.journal.begin, job)
            await asyncio.to_thread(_make_directories, plan)
        try:
            fetched = await self._fetch_all(plan, progress)
        except DownloadCorruptError:
            if job.here_bytes() == 0:
                await asyncio.to_thread(self.journal.end, job)
            raise
        return await self._enter_fetched(plan, job, fetched, progress)

    async def _enter_fetched(
        self, plan: PullPlan, job: PullJob, fetched: list[FetchedFile], progress: TellPull
    ) -> ModelSummary:
        job = job.with_hashes([file.sha256 for file in fetched])
        await asyncio.to_thread(self.journal.begin, job)
        progress(_progress(plan, plan.all_files[-1], sum(file.size_bytes for file in fetched), ADDING))
        try:
            model = await _enter(job, self.store, self.read_model, self._own)
        except UnreadableFileError as error:
            raise StorageError(
                f"{plan.files[0].target.name} came whole, but {error}: run the same command again when it can be."
            ) from error
        except InvalidGgufError as error:
            await _delete([file.target for file in plan.all_files], self.store, self.journal)
            await asyncio.to_thread(self.journal.end, job)
            raise _unloadable(plan, error) from error
        await asyncio.to_thread(self.journal.end, job)
        if set(plan.aliases) - set(model.aliases):
            model = await self.store.change_model(model.name, aliases=plan.aliases) or model
        return model

    async def _refuse_foreign_files(self, plan: PullPlan) -> None:
        """Raise ``StorageError`` where a file stands that gglib did not bring, unless it is the very one."""
        ours = {file.target for job in await asyncio.to_thread(self.journal.jobs) for file in job.all_files}
        for model in await self.store.list_models():
            if model.is_downloaded:  # a damaged file of such a model is repaired
                ours |= {*model.paths, *await asyncio.to_thread(self._own.written_of, model)}
        written = await asyncio.to_thread(self._own.all)
        ours |= {
            file.target
            for file in plan.all_files
            if file.target in written and await asyncio.to_thread(self._own.is_same, written[file.target])
        }
        for file in plan.all_files:
            if file.target not in ours and not await asyncio.to_thread(_is_free, file):
                raise StorageError(
                    f"{file.target} is there already, and gglib did not bring it: move it away, or name another home "
                    "with --home."
                )

    async def _fetch_all(self, plan: PullPlan, progress: TellPull) -> list[FetchedFile]:
        fetched: list[FetchedFile] = []
        for file in plan.all_files:
            before = sum(done.size_bytes for done in fetched)
            tell = _teller(plan, file, before, progress)
            fetched.append(await self.hub.fetch(file.remote, file.target, tell))
        return fetched


async def finish_interrupted(
    store: ModelStorePort, journal: PullJournal, read_model: ModelReader
) -> list[ModelSummary]:
    """Put into the catalogue what arrived whole while nobody was left to do it; return those models.

    Their files are read to make sure, where the note does not say that they were. What has not arrived stays as it
    is: the same pull goes on with it.
    """
    finished = []
    for job in await asyncio.to_thread(journal.jobs):
        if not job.may_be_whole():
            continue
        try:
            with journal.held(job):
                model = await _finish(job, store, read_model, OwnFiles(journal.models_dir))
                await asyncio.to_thread(journal.end, job)
        except GglibError:
            continue  # somebody is at it; or the pull itself, when it is asked for again, says what is wrong
        if model is not None:
            finished.append(model)
    return finished


async def discard_interrupted(job: PullJob, store: ModelStorePort, journal: PullJournal) -> int:
    """Give up a pull that did not end, and delete what came of it; return how many bytes that freed.

    A file that a model of the catalogue has stays. Raises ``BeingFetchedError`` when somebody is at it, and
    ``StorageError``.
    """
    with journal.held(job):
        freed = await _delete(job.leftovers(), store, journal)
        await asyncio.to_thread(journal.end, job)
    return freed


async def _delete(paths: Sequence[Path], store: ModelStorePort, journal: PullJournal) -> int:
    """Delete files, but for those that a model has: a projector is shared, and no row is without its file.

    Returns how many bytes that freed. Raises ``StorageError``.
    """
    used = {file for model in await store.list_models() for file in model.all_files}
    going = [path for path in paths if path not in used]
    freed = sum(map(bytes_on_disk, going))
    _, undeleted = await asyncio.to_thread(delete_files, going, journal.models_dir)
    OwnFiles(journal.models_dir).forget(going)
    if undeleted:
        raise StorageError(
            f"{undeleted[0].path} cannot be deleted ({undeleted[0].reason}): delete it by hand."
        )
    return freed


async def _finish(
    job: PullJob, store: ModelStorePort, read_model: ModelReader, own: OwnFiles
) -> ModelSummary | None:
    """Enter the model; None where its files are others: an update was killed before anything of it came."""
    hashes = await asyncio.to_thread(job.verified_hashes)
    return None if hashes is None else await _enter(job.with_hashes(hashes), store, read_model, own)


async def _enter(job: PullJob, store: ModelStorePort, read_model: ModelReader, own: OwnFiles) -> ModelSummary:
    known = await _model_with([file.target for file in job.files], store)
    if known is not None:  # first: the files that the newer version does not have stay gglib's
        await asyncio.to_thread(own.note_model, known)
    await asyncio.to_thread(_note_files, job, own)
    files = await asyncio.to_thread(read_model, job.files[0].target)
    if files.paths != tuple(file.target for file in job.files):
        raise InvalidGgufError("its files are called shards of one model, and their headers do not say so")
    model = _new_model(job, files)
    if known is not None:
        model = replace(model, description=known.description)
        model = await asyncio.to_thread(_with_own_projector, model, known, own)
        return await store.replace_model(known.name, model) or known
    try:
        return await store.add_model(model)
    except ModelExistsError:
        # Another gglib that finished the same pull was quicker; a name that was taken meanwhile is an error.
        entered = await _model_with(model.paths, store)
        if entered is None:
            raise
        return entered


def _with_own_projector(model: NewModel, known: ModelSummary, own: OwnFiles) -> NewModel:
    """Return the newer version with the projector that the user set for the model: one that no pull brought."""
    projector = known.projector
    if projector is None or projector in own.written_of(known) or not projector.is_file():
        return model
    return replace(
        model, facts=model.facts.with_vision(), projector=projector, projector_sha256=known.projector_sha256
    )


def _note_files(job: PullJob, own: OwnFiles) -> None:
    for file in job.all_files:
        own.note(file.target, sha256=file.sha256, source=_source_of(job))


async def _model_with(paths: Sequence[Path], store: ModelStorePort) -> ModelSummary | None:
    models = await store.list_models()
    return next((model for model in models if set(paths) & set(model.paths)), None)


def _unloadable(plan: PullPlan, error: InvalidGgufError) -> InvalidGgufError:
    first = plan.files[0].target
    end = f"It stays, for '{plan.name}' has it" if first.exists() else "It was deleted"
    return InvalidGgufError(
        f"{first.name} arrived as its source has it, but no engine could load it: {error}. {end}."
    )


def _job_of(plan: PullPlan) -> PullJob:
    return PullJob(
        asked=plan.asked,
        name=plan.name,
        aliases=plan.aliases,
        source=plan.source,
        files=tuple(_job_file(file) for file in plan.files),
        projector=None if plan.projector is None else _job_file(plan.projector),
    )


def _job_file(file: PullFile) -> JobFile:
    return JobFile(target=file.target, size_bytes=file.remote.size_bytes, sha256=file.remote.sha256)


def _teller(plan: PullPlan, file: PullFile, before_bytes: int, progress: TellPull) -> TellFetched:
    def tell(done_bytes: int, total_bytes: int | None) -> None:
        phase = VERIFYING if total_bytes is not None and done_bytes >= total_bytes else DOWNLOADING
        progress(_progress(plan, file, before_bytes + done_bytes, phase))

    return tell


def _progress(plan: PullPlan, file: PullFile, done_bytes: int, phase: str) -> PullProgress:
    return PullProgress(
        file=file.remote.name, done_bytes=done_bytes, total_bytes=plan.total_bytes, phase=phase
    )


def _new_model(job: PullJob, files: ModelFiles) -> NewModel:
    return NewModel(
        name=job.name,
        aliases=job.aliases,
        paths=files.paths,
        size_bytes=files.size_bytes,
        facts=files.facts if job.projector is None else files.facts.with_vision(),
        source=_source_of(job),
        hashes=tuple(file.sha256 for file in job.files),
        projector=None if job.projector is None else job.projector.target,
        projector_sha256=None if job.projector is None else job.projector.sha256,
        is_downloaded=True,
    )


def _source_of(job: PullJob) -> ModelSource:
    return replace(job.source, sha256=job.files[0].sha256)


def _make_directories(plan: PullPlan) -> None:
    for directory in {file.target.parent for file in plan.all_files}:
        directory.mkdir(parents=True, exist_ok=True)


def _make_room(plan: PullPlan) -> None:
    """Make the directories, and refuse what the disk cannot hold: of several shards the last would find out."""
    try:
        _make_directories(plan)
        free = shutil.disk_usage(plan.files[0].target.parent).free
    except OSError as error:
        raise StorageError(
            f"{plan.files[0].target.parent} cannot be written ({error.strerror}): make it writable, or name another "
            "home with --home."
        ) from error
    missing = sum(_missing_bytes(file, plan.known) for file in plan.all_files)
    if missing and missing + SPARE_BYTES > free:
        raise DiskFullError(
            f"{plan.name} needs {size_words(missing + SPARE_BYTES)} more of disk space in "
            f"{plan.files[0].target.parent}, and {size_words(free)} are free: free some, or name another home with "
            "--home."
        )


def _missing_bytes(file: PullFile, known: ModelSummary | None) -> int:
    here = bytes_on_disk(part_path(file.target))
    if known is None or file.remote.sha256 in {None, *known.hashes, known.projector_sha256}:
        here = max(
            here, bytes_on_disk(file.target)
        )  # else it is the older version, which stays until the end
    return max(0, (file.remote.size_bytes or 0) - here)


def _is_free(file: PullFile) -> bool:
    """Whether a file may come here: nothing is in its place, or what is there is the same."""
    try:
        return file.remote.sha256 == hash_file(file.target)
    except FileNotFoundError:
        return True
    except OSError:
        return False
