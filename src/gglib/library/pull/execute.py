"""Pulls a model: its files come, are verified and read, become a version, and then the model's row moves to it.

In that order, and each step may be the last one: the older version is not touched before the row has moved.
Knows the core only; what reads headers is passed in.
"""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gglib.core.errors import (
    DownloadCorruptError,
    DownloadInProgressError,
    InvalidGgufError,
    StorageError,
    UnreadableFileError,
)
from gglib.core.hub.repository import FetchedFile, RemoteFile
from gglib.core.models import GgufFacts, ModelSummary
from gglib.core.ports.hub import ModelHubPort, OnFetchProgress
from gglib.core.versions import FileRole, IncomingFile, NewVersion, OwnFile, PullJob
from gglib.library.pull.disk_space import check_disk_space, read_disk_state
from gglib.library.pull.install import Installed, install, install_fetched
from gglib.library.pull.jobs import (
    PullSite,
    begin,
    end,
    lock_of,
)
from gglib.library.pull.plan import PullFile, PullPlan, with_names
from gglib.library.pull.present_files import candidates_of, find_here
from gglib.library.variants.pull_source import at_same_place, files_with_content, with_content
from gglib.library.versions.deleting import collect_retired
from gglib.library.versions.layout import version_directory
from gglib.library.versions.locks import shared
from gglib.library.versions.publishing import IncomingGoneError
from gglib.library.versions.sharing import share
from gglib.system.threads import run_to_completion

WAITING, DOWNLOADING, VERIFYING, ADDING = "waiting", "downloading", "verifying", "adding"
WAIT_STEP_S = 0.25
"""Between two looks at a file that another pull fetches."""
MAX_ROUNDS = 3
"""Of a pull whose files are taken away by something else after they came."""


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
    """``waiting`` (another gglib fetches the same), ``downloading``, ``verifying`` or ``adding``."""


OnPullProgress = Callable[[PullProgress], None]
"""May be called from any thread, and often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledModel:
    """What came of a pull."""

    model: ModelSummary
    is_new: bool
    """Whether it was not in the catalogue before."""
    is_updated: bool
    """Whether it had an older version, and has this one now."""
    refused_names: tuple[str, ...] = ()
    """Names that it was to get, and that another model has: a name taken while it was pulled, an alias."""
    freed_bytes: int = 0
    """What the disk got back by deleting the older version; 0 also while an engine uses that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Puller:
    """Carries plans out. ``now`` is Unix time in seconds; ``sleep`` waits for seconds."""

    hub: ModelHubPort
    site: PullSite
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def pull(self, plan: PullPlan, progress: OnPullProgress) -> PulledModel:
        """Bring the files of ``plan`` and put the model into the catalogue, or bring the one there up to date.

        Waits while another task or process pulls the same model, or fetches a file that this one needs, too.
        Interrupted in whatever way, the same pull goes on where this one ended. Raises ``HubError``,
        ``InvalidGgufError`` when the file is not one that an engine could load (what came is deleted then), and the
        store's errors.
        """

        def waits() -> None:
            progress(_progress(plan, plan.files[0], 0, WAITING))

        async with self.site.locks.hold(lock_of(plan.key), waits):
            models = await self.site.store.list_models()
            work = _Work(self, with_names(plan, models, is_late=True), models, progress)
            installed = await work.adopt_what_is_here() or await work.fetch_and_install()
        freed = await collect_retired(self.site.store, self.site.models_dir)
        replaced = None if installed.replaced is None else installed.replaced.id
        return PulledModel(
            model=installed.model,
            is_new=installed.is_new,
            is_updated=installed.is_updated,
            refused_names=installed.refused_names,
            freed_bytes=sum(one.freed_bytes for one in freed if one.version.id == replaced),
        )


class _Work:
    """One pull, while its lock is held."""

    def __init__(
        self, puller: Puller, plan: PullPlan, models: Sequence[ModelSummary], progress: OnPullProgress
    ) -> None:
        self._hub = puller.hub
        self._site = puller.site
        self._sleep = puller.sleep
        self._plan = plan
        self._models = models
        self._tell = progress
        self._job = _job_of(plan, started_at=int(puller.now()))

    async def adopt_what_is_here(self) -> Installed | None:
        """Enter a version that is on the disk already and has these very files; None where there is none."""
        return await self._adopt([file.remote for file in self._plan.all_files], self._job)

    async def _adopt(self, remotes: Sequence[RemoteFile], job: PullJob) -> Installed | None:
        plan, site = self._plan, self._site
        sizes = [remote.size_bytes or 0 for remote in remotes]

        def tell(number: int, done_bytes: int) -> None:
            self._tell(_progress(plan, plan.all_files[number], sum(sizes[:number]) + done_bytes, VERIFYING))

        known = next((model for model in self._models if model.id == job.updates), None)
        candidates = candidates_of(plan.source, known, await site.store.list_versions(), self._models)
        wanted = [(remote, file.role) for remote, file in zip(remotes, plan.all_files, strict=True)]
        version = await find_here(wanted, plan.source, candidates, tell)
        if version is None:
            return None
        version = replace(version, source=replace(plan.source, sha256=version.files[0].sha256))
        with shared(version.hold_path) as is_there:
            if not is_there:
                return None
            try:
                facts = await asyncio.to_thread(self._read, version)
            except InvalidGgufError:
                return None  # it is fetched again, and if it is the same, the error says what is wrong
            self._tell(_progress(plan, plan.all_files[-1], sum(sizes), ADDING))
            installed = await install(site, version, facts, job)
        await end(site, job)
        return installed

    def _read(self, version: NewVersion) -> GgufFacts:
        files = [file for file in version.files if file.role is FileRole.MODEL]
        facts = self._site.read_files([file.path for file in files], [file.name for file in files]).facts
        return facts if len(files) == len(version.files) else facts.with_vision()

    async def fetch_and_install(self) -> Installed:
        """Fetch what is not here, and enter it."""
        await asyncio.to_thread(self._site.incoming.prepare)
        await run_to_completion(self._site.incoming.restore, self._plan.key)
        await self._check_room()
        await begin(self._site, self._job)
        for _ in range(MAX_ROUNDS - 1):
            with suppress(IncomingGoneError):
                return await self._install(await self._fetch_all())
        return await self._install(await self._fetch_all())

    async def _check_room(self) -> None:
        plan = self._plan
        asked = [(file.remote, file.key) for file in plan.all_files]
        room = await read_disk_state(asked, None, store=self._site.store, incoming=self._site.incoming)
        needs = sum(
            max(0, (file.remote.size_bytes or 0) - here)
            for file, here in zip(plan.all_files, room.here_bytes, strict=True)
        )
        directory = self._site.models_dir / plan.folder
        await asyncio.to_thread(_check_place, directory, self._site.incoming.directory)
        await asyncio.to_thread(check_disk_space, plan.name, needs, directory)

    async def _fetch_all(self) -> list[FetchedFile]:
        fetched: list[FetchedFile] = []
        try:
            for file in self._plan.all_files:
                before = sum(done.size_bytes for done in fetched)
                fetched.append(await self._fetch(file, before))
        except DownloadCorruptError:
            if not await asyncio.to_thread(
                self._site.incoming.bytes_here, {one.key for one in self._job.files}
            ):
                await end(self._site, self._job)
            raise
        return fetched

    async def _fetch(self, file: PullFile, before_bytes: int) -> FetchedFile:
        """Return a file that is whole at its incoming place; waits for another pull that fetches it."""
        target = self._site.incoming.path(file.key)
        tell = self._teller(file, before_bytes)
        if _is_unvouched(file):  # nothing says that what an earlier pull left is what its server has now
            await run_to_completion(self._site.incoming.discard, [file.key], ())
        while True:
            shared_file = await self._share(file, target)
            try:
                fetched = await self._hub.fetch(file.remote, target, tell)
            except DownloadInProgressError:
                self._tell(_progress(self._plan, file, before_bytes, WAITING))
                await self._sleep(WAIT_STEP_S)
                continue
            if shared_file is None or shared_file.sha256 in {None, fetched.sha256}:
                return fetched
            # Of an address no hash is promised: what was shared is not what was pulled, so it is damaged.
            await run_to_completion(self._site.incoming.discard, [file.key], ())
            return await self._hub.fetch(file.remote, target, tell)

    async def _share(self, file: PullFile, target: Path) -> OwnFile | None:
        """Give a file that is on the disk already a second name; return it, or None where there is none.

        Whether its content is still right is seen where a fetched file's is: what is there is hashed.
        """
        stop = threading.Event()
        for own in files_with_content(file.remote, await self._site.store.list_versions()):
            if await run_to_completion(_is_shared, own, target, stop, stop=stop):
                return own
        return None

    async def _install(self, fetched: Sequence[FetchedFile]) -> Installed:
        plan, site = self._plan, self._site
        job = self._fetched_job(fetched, await self._updated(fetched[0].sha256))
        if any(_is_unknown(file) for file in plan.all_files):  # only now it can be seen that it is the same
            came = [_as_it_came(file, one) for file, one in zip(plan.all_files, fetched, strict=True)]
            if (installed := await self._adopt(came, job)) is not None:
                return installed
        self._tell(_progress(plan, plan.all_files[-1], sum(file.size_bytes for file in fetched), ADDING))
        await begin(site, job)
        try:
            return await install_fetched(site, job)
        except UnreadableFileError as error:
            raise StorageError(
                f"{plan.files[0].remote.name} came whole, but {error}: run the same command again when it can be."
            ) from error
        except InvalidGgufError as error:
            await end(site, job)
            raise _unloadable(plan, error) from error

    async def _updated(self, sha256: str) -> int | None:
        """Return the id of the model that this is a version of, if that is there still.

        Of an address only the content may say which. A catalogue that is put back meanwhile gives ids a second time.
        """
        before = self._plan.known or with_content(at_same_place(self._plan.origin, self._models), sha256)
        if before is None:
            return None
        now = await self._site.store.list_models()
        is_there = (before.id, before.added_at) in {(model.id, model.added_at) for model in now}
        return before.id if is_there else None

    def _fetched_job(self, fetched: Sequence[FetchedFile], updates: int | None) -> PullJob:
        """Return the job with what came, and where that goes."""
        files = tuple(
            replace(
                file, size_bytes=one.size_bytes, sha256=one.sha256, validator=one.validator or file.validator
            )
            for file, one in zip(self._job.files, fetched, strict=True)
        )
        plan = self._plan
        return replace(
            self._job,
            files=files,
            updates=updates,
            source=replace(plan.source, sha256=fetched[0].sha256),
            is_fetched=True,
            directory=version_directory(self._site.models_dir, plan.folder, plan.label, files),
        )

    def _teller(self, file: PullFile, before_bytes: int) -> OnFetchProgress:
        def tell(done_bytes: int, total_bytes: int | None) -> None:
            phase = VERIFYING if total_bytes is not None and done_bytes >= total_bytes else DOWNLOADING
            self._tell(_progress(self._plan, file, before_bytes + done_bytes, phase))

        return tell


def _is_unknown(file: PullFile) -> bool:
    return file.remote.sha256 is None


def _as_it_came(file: PullFile, fetched: FetchedFile) -> RemoteFile:
    return replace(
        file.remote,
        size_bytes=fetched.size_bytes,
        sha256=fetched.sha256,
        validator=fetched.validator or file.remote.validator,
    )


def _is_unvouched(file: PullFile) -> bool:
    remote = file.remote
    return remote.url is not None and remote.sha256 is None and remote.validator is None


def _is_shared(own: OwnFile, target: Path, stop: threading.Event) -> bool:
    """Give a file a second name at ``target``; whether it has that now. What is in the place stays.

    Where there are no links it is copied, until ``stop`` is set.
    """

    def tell(_done_bytes: int) -> None:
        if stop.is_set():
            raise OSError(errno.EINTR, os.strerror(errno.EINTR))

    try:
        if os.path.lexists(target):
            return own.path.samefile(target)
        return share(own, target, tell) is not None
    except OSError:  # another pull was quicker, or the disk refuses: then it is fetched, or waited for
        return False


def _check_place(directory: Path, incoming: Path) -> None:
    """Raise ``StorageError`` where the version could not get its directory: now, and not after the last byte."""
    place = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        why = "this user may not write there" if place.is_dir() else "it is no directory"
        raise StorageError(
            f"{place} cannot be written ({why}): move it away or make it writable, or name another home with --home."
        )
    if place.stat().st_dev != incoming.stat().st_dev:
        raise StorageError(
            f"{place} is on another disk than {incoming}: move it there, with a link to models/ as a whole, or name "
            "another home with --home."
        )


def _unloadable(plan: PullPlan, error: InvalidGgufError) -> InvalidGgufError:
    stays = "" if plan.known is None else f" '{plan.name}' stays as it was."
    return InvalidGgufError(
        f"{plan.files[0].remote.name} arrived as its source has it, but no engine could load it: {error}. "
        f"It was deleted.{stays}"
    )


def _job_of(plan: PullPlan, *, started_at: int) -> PullJob:
    return PullJob(
        key=plan.key,
        asked=plan.asked,
        name=plan.name,
        aliases=plan.aliases,
        source=plan.source,
        files=tuple(_incoming(file) for file in plan.all_files),
        updates=None if plan.known is None else plan.known.id,
        started_at=started_at,
    )


def _incoming(file: PullFile) -> IncomingFile:
    remote = file.remote
    return IncomingFile(
        name=remote.name,
        role=file.role,
        key=file.key,
        size_bytes=remote.size_bytes,
        sha256=remote.sha256,
        validator=remote.validator,
    )


def _progress(plan: PullPlan, file: PullFile, done_bytes: int, phase: str) -> PullProgress:
    return PullProgress(
        file=file.remote.name, done_bytes=done_bytes, total_bytes=plan.total_bytes, phase=phase
    )
