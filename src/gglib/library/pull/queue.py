"""The pulls that run inside a server: some at once, the others in a queue, each to be watched and ended.

It knows nothing of hubs: what pulls is passed in, and so are the clocks. All of it lives in the loop's thread; only
``tell`` of a job is called from others.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol, Self

from gglib.core.errors import DownloadNotFoundError, GglibError, QueueFullError, ShuttingDownError
from gglib.core.hub.downloads import Download, DownloadState
from gglib.core.models import ModelSummary
from gglib.library.pull.speed import Speed

logger = logging.getLogger("gglib")

MAX_RUNNING = 2
"""One fills most lines; the second is for a small model that should not wait for a large one."""
MAX_QUEUED = 100
QUEUE_RETRY_S = 60.0
MAX_FINISHED = 50
FINISHED_TTL_S = 24 * 3600.0
"""Of the downloads that are over so many are remembered, and for so long."""
PROGRESS_INTERVAL_S = 0.2
"""Nobody reads faster, and a hub's blocks come a thousand times a second."""


class Progress(Protocol):
    """What a pull tells while it runs, as ``pull.execute.PullProgress`` has it."""

    @property
    def file(self) -> str:
        """The file that is worked on."""
        ...

    @property
    def done_bytes(self) -> int:
        """Of all files together."""
        ...

    @property
    def total_bytes(self) -> int | None:
        """Of all files together; None where nobody knows."""
        ...

    @property
    def phase(self) -> str:
        """What is being done."""
        ...


Pull = Callable[[str, Callable[[Progress], None]], Awaitable[ModelSummary]]
"""Pulls a target, and may tell how far it is from any thread, often. A cancelled one leaves what can be resumed."""


class Downloads:
    """Runs pulls for as long as its block lasts; the end cancels them all.

    ``identify`` tells whether two targets are the same, and raises ``VariantChoiceError`` for what is none. ``clock``
    only goes on, in seconds; ``now`` is Unix time.
    """

    def __init__(
        self,
        pull: Pull,
        *,
        clock: Callable[[], float],
        now: Callable[[], float],
        identify: Callable[[str], Hashable] = str.strip,
        at_once: int = MAX_RUNNING,
    ) -> None:
        self._pull = pull
        self._clock = clock
        self._now = now
        self._identify = identify
        self._at_once = at_once
        self._jobs: dict[str, _Job] = {}
        """By id, the newest last."""
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def start(self, target: str) -> Download:
        """Begin to pull a target, or queue it; what is on its way already is returned, not begun twice.

        Raises ``ShuttingDownError``, ``QueueFullError``, and what ``identify`` does.
        """
        if self._is_closed:
            raise ShuttingDownError
        identity = self._identify(target)
        self._forget()
        active = [job for job in self._jobs.values() if not job.state.is_final]
        for job in active:
            if job.identity == identity:
                return self._shown(job)
        if len(active) >= self._at_once + MAX_QUEUED:
            raise QueueFullError(MAX_QUEUED, QUEUE_RETRY_S)
        job = _Job(secrets.token_hex(8), target, identity, created_at=int(self._now()))
        self._jobs[job.id] = job
        self._fill()
        return self._shown(job)

    def list(self) -> list[Download]:
        """Return all that are known, the newest last."""
        self._forget()
        return [self._shown(job) for job in self._jobs.values()]

    def show(self, download_id: str) -> Download:
        """Return one. Raises ``DownloadNotFoundError``."""
        return self._shown(self._job(download_id))

    async def follow(self, download_id: str) -> AsyncGenerator[Download, None]:
        """Yield how it stands now and after each change, up to the final state. Raises ``DownloadNotFoundError``.

        Nothing is kept for who is slow: the next step has the newest state, whatever was missed.
        """
        job = self._job(download_id)
        while True:
            changed = job.changed
            shown = self._shown(job)
            yield shown
            if shown.state.is_final:
                return
            await changed.wait()

    async def cancel(self, download_id: str) -> Download:
        """End one and return how it ended; one that is over stays as it is. Raises ``DownloadNotFoundError``."""
        job = self._job(download_id)
        await self._stop([job])
        return self._shown(job)

    async def aclose(self) -> None:
        """End all of them; whoever follows one is told. What has come stays, and the same target goes on with it."""
        self._is_closed = True
        await self._stop(list(self._jobs.values()))

    # -- the rest -------------------------------------------------------------------------------------------

    async def _stop(self, jobs: "Sequence[_Job]") -> None:
        tasks = [job.task for job in jobs if job.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for job in jobs:
            if not job.state.is_final:  # it was in the queue, or its task had not taken its first step
                self._end(job, state=DownloadState.CANCELLED)

    def _fill(self) -> None:
        """Begin what waits, as far as there is room; the oldest first."""
        free = self._at_once - sum(job.task is not None for job in self._jobs.values())
        waiting = [job for job in self._jobs.values() if job.state is DownloadState.QUEUED]
        for job in waiting[: max(0, free)] if not self._is_closed else []:
            job.change(state=DownloadState.RUNNING, started_at=int(self._now()))
            job.task = asyncio.get_running_loop().create_task(self._run(job))

    async def _run(self, job: "_Job") -> None:
        try:
            model = await self._pull(job.download.target, self._teller(job))
        except asyncio.CancelledError:
            self._end(job, state=DownloadState.CANCELLED)  # only cancel and aclose do that, and wait for it
        except Exception as error:
            told = error if isinstance(error, GglibError) else GglibError("Internal error")
            if told is not error:
                logger.exception("a download failed with a fault of gglib")
            self._end(job, state=DownloadState.FAILED, error_code=told.code, error_message=str(told))
        else:
            self._end(job, state=DownloadState.DONE, model_name=model.name)

    def _end(self, job: "_Job", **fields: Any) -> None:  # noqa: ANN401 - fields of Download
        job.task = None
        job.take_in(self._clock())
        job.change(ended_at=int(self._now()), **fields)
        job.ended_s = self._clock()
        self._fill()

    def _teller(self, job: "_Job") -> Callable[[Progress], None]:
        loop = asyncio.get_running_loop()

        def tell(progress: Progress) -> None:
            job.told = progress
            if not job.is_noted:
                job.is_noted = True
                with suppress(RuntimeError):  # the loop has ended, and somebody's thread has not
                    loop.call_soon_threadsafe(self._note, job)

        return tell

    def _note(self, job: "_Job") -> None:
        job.is_noted = False
        now_s = self._clock()
        is_new_phase = job.told is not None and job.told.phase != job.download.phase
        if not job.state.is_final and (is_new_phase or now_s - job.shown_s >= PROGRESS_INTERVAL_S):
            job.take_in(now_s)

    def _shown(self, job: "_Job") -> Download:
        if job.state is not DownloadState.RUNNING:
            return job.download
        return replace(job.download, bytes_per_s=job.speed.bytes_per_s(self._clock()))

    def _job(self, download_id: str) -> "_Job":
        self._forget()
        job = self._jobs.get(download_id)
        if job is None:
            raise DownloadNotFoundError(download_id)
        return job

    def _forget(self) -> None:
        """Drop what has been over for too long, and the oldest of what is too much."""
        over = [job for job in self._jobs.values() if job.state.is_final]
        recent_s = self._clock() - FINISHED_TTL_S
        for number, job in enumerate(sorted(over, key=lambda job: job.ended_s, reverse=True)):
            if number >= MAX_FINISHED or job.ended_s < recent_s:
                del self._jobs[job.id]


class _Job:
    """One download and what is known of it."""

    def __init__(self, id_: str, target: str, identity: Hashable, *, created_at: int) -> None:
        self.id = id_
        self.identity = identity
        self.download = Download(id=id_, target=target, state=DownloadState.QUEUED, created_at=created_at)
        self.changed = asyncio.Event()
        """Set at the next change, and then replaced: who waits needs no queue."""
        self.task: asyncio.Task[None] | None = None
        """While it runs."""
        self.told: Progress | None = None
        """The newest that the pull said, whether it is shown or not."""
        self.is_noted = False
        """Whether the loop was told to look at it."""
        self.shown_s = float("-inf")
        self.ended_s = float("-inf")
        self.speed = Speed()

    @property
    def state(self) -> DownloadState:
        """How far it is."""
        return self.download.state

    def take_in(self, now_s: float) -> None:
        """Show the newest that the pull said."""
        told = self.told
        if told is None:
            return
        self.shown_s = now_s
        self.speed.add(now_s, told.done_bytes)
        self.change(
            file=told.file, phase=told.phase, done_bytes=told.done_bytes, total_bytes=told.total_bytes
        )

    def change(self, **fields: Any) -> None:  # noqa: ANN401 - fields of Download
        """Replace fields, and wake who follows."""
        self.download = replace(self.download, **fields)
        self.changed.set()
        self.changed = asyncio.Event()
