"""Executes a pull: downloads and verifies files, reads headers, publishes a version and moves the model's row to it.

The process may be killed after any step; the older version is kept until the row has moved. The header reader is
passed in.
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
"""Poll interval while another pull downloads the same file."""
MAX_ATTEMPTS = 3
"""Attempts of a pull whose downloaded files are removed by another program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """The progress of a pull."""

    file: str
    """The current file, by its name in the repository."""
    done_bytes: int
    """Sum over all files."""
    total_bytes: int | None
    """Sum over all files; None if a server does not send a size."""
    phase: str
    """``waiting`` (another gglib downloads the same file), ``downloading``, ``verifying`` or ``adding``."""
    target: str | None = None
    """The pull target with the chosen quantization; None if the reporter does not know it."""


OnPullProgress = Callable[[PullProgress], None]
"""Called from any thread, and often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledModel:
    """The result of a pull."""

    model: ModelSummary
    is_new: bool
    """Whether the model was not in the catalogue before."""
    is_updated: bool
    """Whether the model was moved from an older version to this one."""
    refused_names: tuple[str, ...] = ()
    """Requested names that another model has: a name that was taken during the pull, or an alias."""
    freed_bytes: int = 0
    """Bytes freed by deleting the older version; 0 while an engine still uses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Puller:
    """Executes plans. ``now`` returns Unix time in seconds; ``sleep`` waits for seconds."""

    hub: ModelHubPort
    site: PullSite
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def pull(self, plan: PullPlan, progress: OnPullProgress) -> PulledModel:
        """Download the files of ``plan``, and add the model to the catalogue or update it.

        Waits while another task or process pulls the same model, or downloads a file that both need. After any
        interruption the same pull resumes. Raises ``HubError``, ``InvalidGgufError`` if no engine can load the file
        (the download is deleted then), and the store's errors.
        """

        def waits() -> None:
            progress(_progress(plan, plan.files[0], 0, WAITING))

        async with self.site.locks.hold(lock_of(plan.key), waits):
            models = await self.site.store.list_models()
            run = _PullRun(self, with_names(plan, models, is_late=True), models, progress)
            installed = await run.install_present_version() or await run.fetch_and_install()
        freed = await collect_retired(self.site.store, self.site.models_dir)
        replaced = None if installed.replaced is None else installed.replaced.id
        return PulledModel(
            model=installed.model,
            is_new=installed.is_new,
            is_updated=installed.is_updated,
            refused_names=installed.refused_names,
            freed_bytes=sum(collected.freed_bytes for collected in freed if collected.version.id == replaced),
        )


class _PullRun:
    """One run of a pull, under its lock."""

    def __init__(
        self, puller: Puller, plan: PullPlan, models: Sequence[ModelSummary], progress: OnPullProgress
    ) -> None:
        self._hub = puller.hub
        self._site = puller.site
        self._sleep = puller.sleep
        self._plan = plan
        self._models = models
        self._on_progress = progress
        self._job = _job_of(plan, started_at=int(puller.now()))

    async def install_present_version(self) -> Installed | None:
        """Install a version that is already on the disk and has exactly these files; None if there is none."""
        return await self._install_present([file.remote for file in self._plan.all_files], self._job)

    async def _install_present(self, remotes: Sequence[RemoteFile], job: PullJob) -> Installed | None:
        plan, site = self._plan, self._site
        sizes = [remote.size_bytes or 0 for remote in remotes]

        def on_progress(number: int, done_bytes: int) -> None:
            self._on_progress(
                _progress(plan, plan.all_files[number], sum(sizes[:number]) + done_bytes, VERIFYING)
            )

        known = next((model for model in self._models if model.id == job.updates), None)
        candidates = candidates_of(plan.source, known, await site.store.list_versions(), self._models)
        wanted = [(remote, file.role) for remote, file in zip(remotes, plan.all_files, strict=True)]
        version = await find_here(wanted, plan.source, candidates, on_progress)
        if version is None:
            return None
        version = replace(version, source=replace(plan.source, sha256=version.files[0].sha256))
        with shared(version.hold_path) as is_there:
            if not is_there:
                return None
            try:
                facts = await asyncio.to_thread(self._read, version)
            except InvalidGgufError:
                return None  # it is downloaded again; if it is the same file, the error gives the reason
            self._on_progress(_progress(plan, plan.all_files[-1], sum(sizes), ADDING))
            installed = await install(site, version, facts, job)
        await end(site, job)
        return installed

    def _read(self, version: NewVersion) -> GgufFacts:
        files = [file for file in version.files if file.role is FileRole.MODEL]
        facts = self._site.read_files([file.path for file in files], [file.name for file in files]).facts
        return facts if len(files) == len(version.files) else facts.with_vision()

    async def fetch_and_install(self) -> Installed:
        """Download the missing files, and install the version."""
        await asyncio.to_thread(self._site.incoming.prepare)
        await run_to_completion(self._site.incoming.restore, self._plan.key)
        await self._check_disk_space()
        await begin(self._site, self._job)
        for _ in range(MAX_ATTEMPTS - 1):
            with suppress(IncomingGoneError):
                return await self._install(await self._fetch_all())
        return await self._install(await self._fetch_all())

    async def _check_disk_space(self) -> None:
        plan = self._plan
        asked = [(file.remote, file.key) for file in plan.all_files]
        state = await read_disk_state(asked, None, store=self._site.store, incoming=self._site.incoming)
        needs = sum(
            max(0, (file.remote.size_bytes or 0) - here)
            for file, here in zip(plan.all_files, state.here_bytes, strict=True)
        )
        directory = self._site.models_dir / plan.folder
        await asyncio.to_thread(_check_directory, directory, self._site.incoming.directory)
        await asyncio.to_thread(check_disk_space, plan.name, needs, directory)

    async def _fetch_all(self) -> list[FetchedFile]:
        fetched: list[FetchedFile] = []
        try:
            for file in self._plan.all_files:
                before = sum(done.size_bytes for done in fetched)
                fetched.append(await self._fetch(file, before))
        except DownloadCorruptError:
            if not await asyncio.to_thread(
                self._site.incoming.bytes_here, {file.key for file in self._job.files}
            ):
                await end(self._site, self._job)
            raise
        return fetched

    async def _fetch(self, file: PullFile, before_bytes: int) -> FetchedFile:
        """Download a file to its incoming path; waits while another pull downloads it."""
        target = self._site.incoming.path(file.key)
        on_progress = self._progress_for(file, before_bytes)
        if _has_no_identity(file):  # an earlier partial download may be outdated
            await run_to_completion(self._site.incoming.discard, [file.key], ())
        while True:
            shared_file = await self._share(file, target)
            try:
                fetched = await self._hub.fetch(file.remote, target, on_progress)
            except DownloadInProgressError:
                self._on_progress(_progress(self._plan, file, before_bytes, WAITING))
                await self._sleep(WAIT_STEP_S)
                continue
            if shared_file is None or shared_file.sha256 in {None, fetched.sha256}:
                return fetched
            # A URL has no expected hash: the shared file differs from the recorded one, so it is damaged.
            await run_to_completion(self._site.incoming.discard, [file.key], ())
            return await self._hub.fetch(file.remote, target, on_progress)

    async def _share(self, file: PullFile, target: Path) -> OwnFile | None:
        """Link a file of another version with the same content to ``target``; return it, or None if there is none.

        Its content is verified later, like that of a downloaded file.
        """
        stop = threading.Event()
        for own in files_with_content(file.remote, await self._site.store.list_versions()):
            if await run_to_completion(_is_shared, own, target, stop, stop=stop):
                return own
        return None

    async def _install(self, fetched: Sequence[FetchedFile]) -> Installed:
        plan, site = self._plan, self._site
        job = self._fetched_job(fetched, await self._updated(fetched[0].sha256))
        # Without an expected hash, the same content is recognised only now.
        if any(_is_unknown(file) for file in plan.all_files):
            remotes = [
                _downloaded(file, download) for file, download in zip(plan.all_files, fetched, strict=True)
            ]
            if (installed := await self._install_present(remotes, job)) is not None:
                return installed
        self._on_progress(
            _progress(plan, plan.all_files[-1], sum(file.size_bytes for file in fetched), ADDING)
        )
        await begin(site, job)
        try:
            return await install_fetched(site, job)
        except UnreadableFileError as error:
            raise StorageError(
                f"{plan.files[0].remote.name} was downloaded, but {error}: run the same command again once it is."
            ) from error
        except InvalidGgufError as error:
            await end(site, job)
            raise _unloadable(plan, error) from error

    async def _updated(self, sha256: str) -> int | None:
        """Return the id of the model that this pull updates, if it still exists.

        For a URL, only the content may identify the model. A catalogue that was restored in the meantime may reuse ids.
        """
        before = self._plan.known or with_content(at_same_place(self._plan.origin, self._models), sha256)
        if before is None:
            return None
        now = await self._site.store.list_models()
        is_there = (before.id, before.added_at) in {(model.id, model.added_at) for model in now}
        return before.id if is_there else None

    def _fetched_job(self, fetched: Sequence[FetchedFile], updates: int | None) -> PullJob:
        """Return the job with the downloaded files, and the directory of the version."""
        files = tuple(
            replace(
                file,
                size_bytes=download.size_bytes,
                sha256=download.sha256,
                validator=download.validator or file.validator,
            )
            for file, download in zip(self._job.files, fetched, strict=True)
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

    def _progress_for(self, file: PullFile, before_bytes: int) -> OnFetchProgress:
        def on_progress(done_bytes: int, total_bytes: int | None) -> None:
            phase = VERIFYING if total_bytes is not None and done_bytes >= total_bytes else DOWNLOADING
            self._on_progress(_progress(self._plan, file, before_bytes + done_bytes, phase))

        return on_progress


def _is_unknown(file: PullFile) -> bool:
    return file.remote.sha256 is None


def _downloaded(file: PullFile, fetched: FetchedFile) -> RemoteFile:
    return replace(
        file.remote,
        size_bytes=fetched.size_bytes,
        sha256=fetched.sha256,
        validator=fetched.validator or file.remote.validator,
    )


def _has_no_identity(file: PullFile) -> bool:
    remote = file.remote
    return remote.url is not None and remote.sha256 is None and remote.validator is None


def _is_shared(own: OwnFile, target: Path, stop: threading.Event) -> bool:
    """Link a file to ``target``; return whether it is there now. An existing file is not replaced.

    On file systems without hard links the file is copied, until ``stop`` is set.
    """

    def on_progress(_done_bytes: int) -> None:
        if stop.is_set():
            raise OSError(errno.EINTR, os.strerror(errno.EINTR))

    try:
        if os.path.lexists(target):
            return own.path.samefile(target)
        return share(own, target, on_progress) is not None
    except OSError:  # another pull was faster, or the disk refuses: then download it, or wait
        return False


def _check_directory(directory: Path, incoming: Path) -> None:
    """Raise ``StorageError`` if the version's directory cannot be created, before the first byte is downloaded."""
    parent = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        why = "this user may not write there" if parent.is_dir() else "it is not a directory"
        raise StorageError(
            f"{parent} cannot be written ({why}): move it away, make it writable, or use another --home."
        )
    if parent.stat().st_dev != incoming.stat().st_dev:
        raise StorageError(
            f"{parent} is on another disk than {incoming}: move all of models/ to one disk and link to it, or use "
            "another --home."
        )


def _unloadable(plan: PullPlan, error: InvalidGgufError) -> InvalidGgufError:
    unchanged = "" if plan.known is None else f" '{plan.name}' is unchanged."
    return InvalidGgufError(
        f"{plan.files[0].remote.name} was downloaded correctly, but no engine can load it: {error}. "
        f"It was deleted.{unchanged}"
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
        file=file.remote.name,
        done_bytes=done_bytes,
        total_bytes=plan.total_bytes,
        phase=phase,
        target=plan.asked,
    )
