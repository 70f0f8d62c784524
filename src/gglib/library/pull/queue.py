"""The download queue of a server: runs a few pulls concurrently; clients follow, pause, resume and cancel them.

The pull function and the clocks are passed in. Everything runs in the loop's thread except the progress callback.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol, Self

from gglib.core.errors import (
    DownloadDoneError,
    DownloadNotFoundError,
    GglibError,
    QueueFullError,
    ShuttingDownError,
)
from gglib.core.hub.downloads import Download, DownloadState
from gglib.core.models import ModelSummary
from gglib.library.pull.speed import Speed

logger = logging.getLogger("gglib")

MAX_RUNNING = 2
"""One pull saturates most connections; the second keeps a small model from waiting for a large one."""
MAX_QUEUED = 100
QUEUE_RETRY_S = 60.0
MAX_FINISHED = 50
FINISHED_TTL_S = 24 * 3600.0
"""Finished downloads are kept for this long, at most ``MAX_FINISHED`` of them."""
PROGRESS_INTERVAL_S = 0.2
"""Minimum interval between progress updates; data may arrive a thousand times a second."""


class Progress(Protocol):
    """The progress of a pull; implemented by ``pull.execute.PullProgress``."""

    @property
    def file(self) -> str:
        """The current file."""
        ...

    @property
    def done_bytes(self) -> int:
        """Sum over all files."""
        ...

    @property
    def total_bytes(self) -> int | None:
        """Sum over all files; None if unknown."""
        ...

    @property
    def phase(self) -> str:
        """The current phase."""
        ...

    @property
    def target(self) -> str | None:
        """The pull target with the chosen quantization; None if unknown."""
        ...


Pull = Callable[[str, Callable[[Progress], None]], Awaitable[ModelSummary]]
"""Pulls a target and reports progress from any thread, often. A cancelled pull can be resumed."""
Discard = Callable[[str], Awaitable[bool]]
"""Deletes the partial files of exactly this target that no other pull needs. Returns whether they are gone: not if
another task or process is pulling the target. Raises ``GglibError``."""


class Downloads:
    """Runs pulls inside its ``async with`` block; leaving the block cancels them.

    ``identify`` returns an equal key for equal targets, and raises ``VariantChoiceError`` for an invalid one. ``clock``
    is monotonic, in seconds; ``now`` is Unix time.
    """

    def __init__(  # noqa: PLR0913 - what tests replace is passed in
        self,
        pull: Pull,
        *,
        discard: Discard,
        clock: Callable[[], float],
        now: Callable[[], float],
        identify: Callable[[str], Hashable] = str.strip,
        at_once: int = MAX_RUNNING,
    ) -> None:
        self._pull = pull
        self._discard = discard
        self._clock = clock
        self._now = now
        self._identify = identify
        self._at_once = at_once
        self._jobs: dict[str, _Job] = {}
        """By id, newest last."""
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def start(self, target: str) -> Download:
        """Start or queue a pull; a download of the same target that has not ended is returned, resumed if paused.

        Raises ``ShuttingDownError``, ``QueueFullError``, and the errors of ``identify``.
        """
        if self._is_closed:
            raise ShuttingDownError
        identity = self._identify(target)
        self._drop_finished()
        job = self._open_job(identity)
        if job is not None:
            return self._requeue(job)
        self._refuse_if_full()
        job = _Job(secrets.token_hex(8), target, identity, created_at=int(self._now()))
        self._jobs[job.id] = job
        self._start_queued()
        return self._snapshot(job)

    def list(self) -> list[Download]:
        """Return all downloads, newest last."""
        self._drop_finished()
        return [self._snapshot(job) for job in self._jobs.values()]

    def show(self, download_id: str) -> Download:
        """Return one download. Raises ``DownloadNotFoundError``."""
        return self._snapshot(self._job(download_id))

    async def follow(self, download_id: str) -> AsyncGenerator[Download, None]:
        """Yield the current state and each change, until it is not active. Raises ``DownloadNotFoundError``.

        Nothing is buffered for a slow consumer: the next step yields the newest state.
        """
        job = self._job(download_id)
        while True:
            changed = job.changed
            snapshot = self._snapshot(job)
            yield snapshot
            if not snapshot.state.is_active:
                return
            await changed.wait()

    async def cancel(self, download_id: str, *, with_files: bool = False) -> Download:
        """Cancel a download and return its final state; ``with_files`` discards what it downloaded.

        The files are kept, and with them the progress, if the download is done or was resumed meanwhile, or if another
        one that has not ended needs them. Raises ``DownloadNotFoundError`` and the errors of ``discard``.
        """
        job = self._job(download_id)
        await self._stop([job], DownloadState.CANCELLED)
        if with_files and self._may_discard(job) and await self._discard(job.target) and job.state.has_ended:
            job.forget_progress()
        return self._snapshot(job)

    async def pause(self, download_id: str) -> Download:
        """Stop a download, keep its files and its place in the list, and return its state.

        One that has ended is not changed. Raises ``DownloadNotFoundError``.
        """
        job = self._job(download_id)
        await self._stop([job], DownloadState.PAUSED)
        return self._snapshot(job)

    def resume(self, download_id: str) -> Download:
        """Queue a paused, cancelled or failed download again, and return its state; an active one is not changed.

        If another download of the same target has been started since, that one is returned. Raises
        ``DownloadNotFoundError``, ``DownloadDoneError``, ``QueueFullError`` and ``ShuttingDownError``.
        """
        job = self._job(download_id)
        if job.state is DownloadState.DONE:
            raise DownloadDoneError(download_id)
        return self._requeue(self._open_job(job.identity) or job)

    async def aclose(self) -> None:
        """Cancel all downloads; followers get the final state. A new pull of the same target resumes."""
        self._is_closed = True
        await self._stop(list(self._jobs.values()), DownloadState.CANCELLED)

    # -- internals -------------------------------------------------------------------------------------------

    async def _stop(self, jobs: "Sequence[_Job]", state: DownloadState) -> None:
        """Stop downloads; those that have not ended get ``state``, paused or cancelled.

        A pause does not undo a cancellation that is not complete, whose caller may be about to delete the files.
        """
        tasks, runs = [], [(job, job.run) for job in jobs]
        for job in jobs:
            if job.stop_state is not DownloadState.CANCELLED:
                job.stop_state = state
            if job.task is not None:
                job.task.cancel()
                tasks.append(job.task)
        if tasks:
            await asyncio.wait(tasks)
        for job, run in runs:
            # It was queued or paused, or its task had not started; and it was not resumed in the meantime.
            if job.run == run and not job.state.has_ended and job.state is not job.stop_state:
                self._end(job, state=job.stop_state)

    def _may_discard(self, job: "_Job") -> bool:
        """Whether the files of a download are its own: it has ended, has some, and no open download pulls them."""
        if not job.state.has_ended or job.state is DownloadState.DONE or job.latest is None:
            return False
        pulled = self._identify(job.target)
        return not any(
            other.identity in {job.identity, pulled} or self._identify(other.target) == pulled
            for other in self._jobs.values()
            if not other.state.has_ended
        )

    def _open_job(self, identity: Hashable) -> "_Job | None":
        """Return the download of a target that has not ended; None if there is none."""
        jobs = (job for job in self._jobs.values() if job.identity == identity and not job.state.has_ended)
        return next(jobs, None)

    def _requeue(self, job: "_Job") -> Download:
        """Queue a download that is not active again."""
        if not job.state.is_active:
            if self._is_closed:
                raise ShuttingDownError
            if job.state.has_ended:
                self._refuse_if_full()
            job.begin_again()
            self._start_queued()
        return self._snapshot(job)

    def _refuse_if_full(self) -> None:
        """Raise ``QueueFullError`` if the list has no place: paused downloads keep theirs."""
        if sum(not job.state.has_ended for job in self._jobs.values()) >= self._at_once + MAX_QUEUED:
            raise QueueFullError(MAX_QUEUED, QUEUE_RETRY_S)

    def _start_queued(self) -> None:
        """Start queued downloads while slots are free, oldest first."""
        free = self._at_once - sum(job.task is not None for job in self._jobs.values())
        waiting = [job for job in self._jobs.values() if job.state is DownloadState.QUEUED]
        for job in waiting[: max(0, free)] if not self._is_closed else []:
            job.change(state=DownloadState.RUNNING, started_at=int(self._now()))
            job.task = asyncio.get_running_loop().create_task(self._run(job))

    async def _run(self, job: "_Job") -> None:
        try:
            model = await self._pull(job.target, self._progress_callback(job))
        except asyncio.CancelledError:
            self._end(job, state=job.stop_state)  # only _stop cancels the task, and it waits for it
        except Exception as error:
            reported = error if isinstance(error, GglibError) else GglibError("Internal error")
            if reported is not error:
                logger.exception("a download failed with an internal error")
            self._end(job, state=DownloadState.FAILED, error_code=reported.code, error_message=str(reported))
        else:
            self._end(job, state=DownloadState.DONE, model_name=model.name)

    def _end(self, job: "_Job", **fields: Any) -> None:  # noqa: ANN401 - fields of Download
        job.task = None
        job.publish_progress(self._clock())
        job.change(**fields)
        if job.state.has_ended:
            job.change(ended_at=int(self._now()))
            job.ended_s = self._clock()
        self._start_queued()

    def _progress_callback(self, job: "_Job") -> Callable[[Progress], None]:
        loop, run = asyncio.get_running_loop(), job.run

        def on_progress(progress: Progress) -> None:
            if run != job.run:  # a thread of a run that was stopped
                return
            job.latest = progress
            if not job.is_update_scheduled:
                job.is_update_scheduled = True
                with suppress(RuntimeError):  # the loop is closed, but a thread is still running
                    loop.call_soon_threadsafe(self._on_update, job)

        return on_progress

    def _on_update(self, job: "_Job") -> None:
        job.is_update_scheduled = False
        now_s = self._clock()
        is_new_phase = job.latest is not None and job.latest.phase != job.download.phase
        if job.state.is_active and (is_new_phase or now_s - job.published_s >= PROGRESS_INTERVAL_S):
            job.publish_progress(now_s)

    def _snapshot(self, job: "_Job") -> Download:
        if job.state is not DownloadState.RUNNING:
            return job.download
        return replace(job.download, bytes_per_s=job.speed.bytes_per_s(self._clock()))

    def _job(self, download_id: str) -> "_Job":
        self._drop_finished()
        job = self._jobs.get(download_id)
        if job is None:
            raise DownloadNotFoundError(download_id)
        return job

    def _drop_finished(self) -> None:
        """Drop finished downloads beyond the time limit and the count limit."""
        over = [job for job in self._jobs.values() if job.state.has_ended]
        recent_s = self._clock() - FINISHED_TTL_S
        for number, job in enumerate(sorted(over, key=lambda job: job.ended_s, reverse=True)):
            if number >= MAX_FINISHED or job.ended_s < recent_s:
                del self._jobs[job.id]


class _Job:
    """One download and its bookkeeping."""

    def __init__(self, id_: str, target: str, identity: Hashable, *, created_at: int) -> None:
        self.id = id_
        self.identity = identity
        self.download = Download(id=id_, target=target, state=DownloadState.QUEUED, created_at=created_at)
        self.changed = asyncio.Event()
        """Set at the next change and then replaced, so that followers need no queue."""
        self.task: asyncio.Task[None] | None = None
        """Set while the pull runs."""
        self.latest: Progress | None = None
        """The latest progress, published or not."""
        self.is_update_scheduled = False
        """Whether a call of ``_on_update`` is scheduled in the loop."""
        self.published_s = float("-inf")
        self.ended_s = float("-inf")
        self.stop_state: DownloadState | None = None
        """The state that was requested of this run: paused or cancelled; None if it was not stopped."""
        self.run = 0
        """Number of the run: a resumed download has several."""
        self.speed = Speed()

    @property
    def state(self) -> DownloadState:
        """The current state."""
        return self.download.state

    @property
    def target(self) -> str:
        """The target to pull: after the first progress with the quantization that was chosen."""
        chosen = None if self.latest is None else self.latest.target
        return chosen or self.download.target

    def begin_again(self) -> None:
        """Queue the download again; the shown bytes stay until the next progress."""
        self.run += 1
        self.stop_state = None
        self.speed = Speed()
        self.change(
            state=DownloadState.QUEUED, ended_at=None, error_code=None, error_message=None, phase=None
        )

    def forget_progress(self) -> None:
        """Forget what was downloaded, and which quantization."""
        self.latest = None
        self.change(file=None, phase=None, done_bytes=0, total_bytes=None)

    def publish_progress(self, now_s: float) -> None:
        """Publish the latest progress."""
        latest = self.latest
        if latest is None:
            return
        self.published_s = now_s
        self.speed.add(now_s, latest.done_bytes)
        self.change(
            file=latest.file, phase=latest.phase, done_bytes=latest.done_bytes, total_bytes=latest.total_bytes
        )

    def change(self, **fields: Any) -> None:  # noqa: ANN401 - fields of Download
        """Replace fields, and wake the followers."""
        self.download = replace(self.download, **fields)
        self.changed.set()
        self.changed = asyncio.Event()
