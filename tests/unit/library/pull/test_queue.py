"""The server's download queue: concurrency, order, following, cancellation and expiry."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from gglib.core.errors import (
    DiskFullError,
    DownloadDoneError,
    DownloadNotFoundError,
    QueueFullError,
    ShuttingDownError,
    VariantChoiceError,
)
from gglib.core.hub.downloads import Download, DownloadState
from gglib.core.models import ModelSummary
from gglib.library.pull.execute import PullProgress
from gglib.library.pull.queue import (
    FINISHED_TTL_S,
    MAX_FINISHED,
    MAX_QUEUED,
    PROGRESS_INTERVAL_S,
    Downloads,
    Progress,
)
from gglib.library.variants.pull_target import read_target

DONE, FAILED, CANCELLED = DownloadState.DONE, DownloadState.FAILED, DownloadState.CANCELLED
QUEUED, RUNNING, PAUSED = DownloadState.QUEUED, DownloadState.RUNNING, DownloadState.PAUSED


@dataclass
class Hub:
    """Pulls that end when a test says so, and a clock that it sets."""

    now_s: float = 100.0
    began: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    discarded: list[str] = field(default_factory=list)
    can_discard: bool = True
    """False: another process is pulling the files."""
    on_progress: dict[str, Callable[[Progress], None]] = field(default_factory=dict)
    outcomes: dict[str, "asyncio.Future[ModelSummary]"] = field(default_factory=dict)

    async def pull(self, target: str, on_progress: Callable[[Progress], None]) -> ModelSummary:
        """Wait for the test's result for the target."""
        self.began.append(target)
        self.on_progress[target] = on_progress
        self.outcomes[target] = asyncio.get_running_loop().create_future()
        try:
            return await self.outcomes[target]
        finally:
            self.ended.append(target)

    async def discard(self, target: str) -> bool:
        """Record what is discarded."""
        if self.can_discard:
            self.discarded.append(target)
        return self.can_discard

    def done(self, target: str) -> None:
        """End a pull successfully."""
        self.outcomes[target].set_result(ModelSummary(id=1, name=f"model of {target}"))

    def progress(
        self, target: str, done_bytes: int, phase: str = "downloading", chosen: str | None = None
    ) -> None:
        """Report the progress of a pull."""
        self.on_progress[target](
            PullProgress(file="f.gguf", done_bytes=done_bytes, total_bytes=100, phase=phase, target=chosen)
        )


@pytest.fixture
def hub() -> Hub:
    """Return a hub whose pulls wait."""
    return Hub()


@pytest.fixture
async def downloads(hub: Hub) -> AsyncIterator[Downloads]:
    """Return a queue of two downloads at once."""
    made = Downloads(
        hub.pull, discard=hub.discard, clock=lambda: hub.now_s, now=lambda: 1_700_000_000.9, at_once=2
    )
    async with made:
        yield made


async def run_pending_tasks(count: int = 10) -> None:
    """Let pending tasks run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def final(downloads: Downloads, download_id: str) -> Download:
    """Return the final state of a download."""
    async with asyncio.timeout(5), aclosing(downloads.follow(download_id)) as followed:
        return [download async for download in followed][-1]


async def test_a_pull_is_followed_to_its_model(hub: Hub, downloads: Downloads) -> None:
    """A download runs at once, and ends with the model's name in the catalogue."""
    started = downloads.start("a/b:Q4_K_M")
    assert (started.state, started.target) == (RUNNING, "a/b:Q4_K_M")
    assert (started.created_at, started.started_at, started.ended_at) == (1_700_000_000, 1_700_000_000, None)
    await run_pending_tasks()
    hub.progress("a/b:Q4_K_M", 40)
    hub.done("a/b:Q4_K_M")
    ended = await final(downloads, started.id)
    assert (ended.state, ended.model_name) == (DONE, "model of a/b:Q4_K_M")
    assert (ended.done_bytes, ended.total_bytes, ended.file) == (40, 100, "f.gguf")
    assert ended.ended_at == 1_700_000_000
    assert downloads.show(started.id) == ended


async def test_the_same_target_is_not_started_twice(hub: Hub, downloads: Downloads) -> None:
    """The same target, with any padding, is the same download until it ends; then it is a new one."""
    first = downloads.start("a/b")
    assert downloads.start(" a/b ").id == first.id
    await run_pending_tasks()
    hub.done("a/b")
    await final(downloads, first.id)
    assert downloads.start("a/b").id != first.id
    await run_pending_tasks()
    assert hub.began == ["a/b", "a/b"]


async def test_targets_are_compared_parsed(hub: Hub) -> None:
    """Two spellings of one target are one download, and an invalid target is refused before anything starts."""
    async with Downloads(
        hub.pull, discard=hub.discard, clock=lambda: 0.0, now=lambda: 0.0, identify=read_target
    ) as downloads:
        first = downloads.start("a/b:Q4_K_M")
        assert downloads.start("hf.co/a/b:Q4_K_M").id == first.id
        with pytest.raises(VariantChoiceError):
            downloads.start("ftp://a/b.gguf")
        assert len(downloads.list()) == 1


async def test_two_run_and_the_others_wait_in_order(hub: Hub, downloads: Downloads) -> None:
    """Of five two run; each one that ends starts the oldest in the queue."""
    ids = [downloads.start(target).id for target in "abcde"]
    assert [download.state for download in downloads.list()] == [RUNNING, RUNNING, QUEUED, QUEUED, QUEUED]
    await run_pending_tasks()
    hub.done("b")
    await final(downloads, ids[1])
    await run_pending_tasks()
    assert hub.began == ["a", "b", "c"]
    await downloads.cancel(ids[3])
    hub.done("a")
    await run_pending_tasks()
    assert hub.began == ["a", "b", "c", "e"]


async def test_full_queue_refuses(downloads: Downloads) -> None:
    """A download above the limit is refused with a retry time."""
    for number in range(2 + MAX_QUEUED):
        downloads.start(f"{number}")
    with pytest.raises(QueueFullError):
        downloads.start("one more")
    assert downloads.start("0").state is RUNNING


async def test_failed_download_has_its_error(hub: Hub, downloads: Downloads) -> None:
    """Code and sentence of a ``GglibError`` are kept; the place in the queue is free again."""
    ids = [downloads.start(target).id for target in "abc"]
    await run_pending_tasks()
    hub.outcomes["a"].set_exception(DiskFullError("There is no room."))
    ended = await final(downloads, ids[0])
    assert (ended.state, ended.error_code, ended.error_message) == (FAILED, "disk_full", "There is no room.")
    await run_pending_tasks()
    assert hub.began == ["a", "b", "c"]


async def test_internal_error_shows_no_detail(
    hub: Hub, downloads: Downloads, caplog: pytest.LogCaptureFixture
) -> None:
    """Any other exception goes to the log, and not to the client."""
    started = downloads.start("a")
    await run_pending_tasks()
    hub.outcomes["a"].set_exception(KeyError("/home/secret"))
    ended = await final(downloads, started.id)
    assert (ended.error_code, ended.error_message) == ("internal_error", "Internal error")
    assert "/home/secret" in caplog.text


async def test_cancel_returns_after_the_cleanup(hub: Hub, downloads: Downloads) -> None:
    """When ``cancel`` returns the pull has cleaned up, and the next one runs."""
    ids = [downloads.start(target).id for target in "abc"]
    await run_pending_tasks()
    ended = await downloads.cancel(ids[0])
    assert (ended.state, hub.ended) == (CANCELLED, ["a"])
    await run_pending_tasks()
    assert hub.began == ["a", "b", "c"]
    assert await downloads.cancel(ids[0]) == ended


async def test_download_without_a_first_step_is_cancelled_too(hub: Hub, downloads: Downloads) -> None:
    """A task that is cancelled before its first step never runs, and its download still ends."""
    started = downloads.start("a")
    assert (await downloads.cancel(started.id)).state is CANCELLED
    assert hub.began == []


async def test_queued_download_is_cancelled_without_a_pull(hub: Hub, downloads: Downloads) -> None:
    """A download in the queue ends at once."""
    ids = [downloads.start(target).id for target in "abc"]
    await run_pending_tasks()
    ended = await downloads.cancel(ids[2])
    assert (ended.state, ended.started_at) == (CANCELLED, None)
    hub.done("a")
    await run_pending_tasks()
    assert hub.began == ["a", "b"]


async def test_close_cancels_all_and_ends_followers(hub: Hub) -> None:
    """Closing ends running and queued downloads; none starts afterwards."""
    downloads = Downloads(hub.pull, discard=hub.discard, clock=lambda: 0.0, now=lambda: 0.0, at_once=1)
    ids = [downloads.start(target).id for target in "ab"]
    watching = [asyncio.create_task(final(downloads, download)) for download in ids]
    await run_pending_tasks()
    await downloads.aclose()
    assert [(await download).state for download in watching] == [CANCELLED, CANCELLED]
    assert (hub.began, hub.ended) == (["a"], ["a"])
    with pytest.raises(ShuttingDownError):
        downloads.start("c")


async def test_progress_is_throttled(hub: Hub, downloads: Downloads) -> None:
    """A thousand reports a second become a few changes, and the last report is always shown."""
    started = downloads.start("a")
    await run_pending_tasks()
    seen: list[int] = []

    async def watch() -> None:
        async with aclosing(downloads.follow(started.id)) as followed:
            seen.extend([download.done_bytes async for download in followed])

    watching = asyncio.create_task(watch())
    for step in range(1, 100):
        hub.now_s = 100.0 + step * PROGRESS_INTERVAL_S / 20  # a second in all
        hub.progress("a", step)
        await run_pending_tasks(3)
    hub.done("a")
    await watching
    assert seen[-1] == 99
    assert len(seen) <= 2 + 1 / PROGRESS_INTERVAL_S + 1
    assert seen == sorted(seen)


async def test_new_phase_is_shown_at_once(hub: Hub, downloads: Downloads) -> None:
    """Verifying follows the last byte closely, and takes long."""
    started = downloads.start("a")
    await run_pending_tasks()
    hub.progress("a", 1)
    await run_pending_tasks()
    hub.progress("a", 100)
    hub.progress("a", 100, "verifying")
    await run_pending_tasks()
    shown = downloads.show(started.id)
    assert (shown.phase, shown.done_bytes) == ("verifying", 100)


async def test_slow_follower_skips_intermediate_states(hub: Hub, downloads: Downloads) -> None:
    """Nothing is buffered for a follower: its next step is the newest state, and the end is never missed."""
    started = downloads.start("a")
    await run_pending_tasks()
    async with aclosing(downloads.follow(started.id)) as followed:
        await anext(followed)
        for step in range(1, 50):
            hub.now_s += 1
            hub.progress("a", step)
            await run_pending_tasks(3)
        assert (await anext(followed)).done_bytes == 49
        hub.done("a")
        await run_pending_tasks()
        assert (await anext(followed)).state is DONE
        with pytest.raises(StopAsyncIteration):
            await anext(followed)


async def test_progress_may_come_from_any_thread(hub: Hub, downloads: Downloads) -> None:
    """A hub reports from its own threads; only the loop's thread changes state."""
    started = downloads.start("a")
    await run_pending_tasks()

    def on_progress() -> None:
        for step in range(1, 60):
            hub.progress("a", step)

    thread = threading.Thread(target=on_progress)
    thread.start()
    thread.join()
    await run_pending_tasks()
    hub.done("a")
    assert (await final(downloads, started.id)).done_bytes == 59


async def test_speed_is_computed_when_read(hub: Hub, downloads: Downloads) -> None:
    """A stalled download has no speed, even without a new report."""
    started = downloads.start("a")
    await run_pending_tasks()
    for step in range(5):
        hub.now_s = 100.0 + step
        hub.progress("a", step * 10)
        await run_pending_tasks()
    assert downloads.show(started.id).bytes_per_s == 10
    hub.now_s += 60
    assert downloads.show(started.id).bytes_per_s is None


async def test_finished_downloads_expire(hub: Hub, downloads: Downloads) -> None:
    """Only the newest ones are kept, and none for ever."""
    ids = []
    for number in range(MAX_FINISHED + 5):
        hub.now_s += 1
        ids.append(downloads.start(f"{number}").id)
        await downloads.cancel(ids[-1])
    assert [download.id for download in downloads.list()] == ids[-MAX_FINISHED:]
    with pytest.raises(DownloadNotFoundError):
        downloads.show(ids[0])
    running = downloads.start("runs for long")
    hub.now_s += FINISHED_TTL_S + 1
    assert [download.id for download in downloads.list()] == [running.id]


async def test_unknown_id_is_no_download(downloads: Downloads) -> None:
    """Showing, following and cancelling raise the error."""
    for ask in (downloads.show,):
        with pytest.raises(DownloadNotFoundError):
            ask("x")
    with pytest.raises(DownloadNotFoundError):
        await downloads.cancel("x")
    with pytest.raises(DownloadNotFoundError):
        await anext(downloads.follow("x"))


async def test_a_paused_download_keeps_its_place_and_frees_its_slot(hub: Hub, downloads: Downloads) -> None:
    """The next one runs; resumed, the paused one is the next, before younger ones, with the bytes that it had."""
    ids = [downloads.start(target).id for target in "abcd"]
    await run_pending_tasks()
    hub.progress("a", 40)
    await run_pending_tasks()
    paused = await downloads.pause(ids[0])
    assert (paused.state, paused.done_bytes, paused.ended_at, hub.ended) == (PAUSED, 40, None, ["a"])
    await run_pending_tasks()
    assert [download.state for download in downloads.list()] == [PAUSED, RUNNING, RUNNING, QUEUED]
    resumed = downloads.resume(ids[0])
    assert (resumed.state, resumed.done_bytes, resumed.bytes_per_s) == (QUEUED, 40, None)
    hub.done("b")
    await run_pending_tasks()
    assert hub.began == ["a", "b", "c", "a"]


async def test_a_queued_download_is_paused_without_a_pull(hub: Hub, downloads: Downloads) -> None:
    """It does not start when a slot is free."""
    ids = [downloads.start(target).id for target in "abc"]
    assert (await downloads.pause(ids[2])).state is PAUSED
    await run_pending_tasks()
    hub.done("a")
    await run_pending_tasks()
    assert hub.began == ["a", "b"]


async def test_a_resumed_download_pulls_the_quantization_that_was_chosen(
    hub: Hub, downloads: Downloads
) -> None:
    """Not the one that would be chosen now; discarded files leave the choice open again."""
    started = downloads.start("a/b")
    await run_pending_tasks()
    hub.progress("a/b", 40, chosen="a/b:Q4_K_M")
    await downloads.pause(started.id)
    downloads.resume(started.id)
    await run_pending_tasks()
    assert hub.began == ["a/b", "a/b:Q4_K_M"]
    cancelled = await downloads.cancel(started.id, with_files=True)
    assert (cancelled.state, cancelled.done_bytes, cancelled.total_bytes) == (CANCELLED, 0, None)
    assert hub.discarded == ["a/b:Q4_K_M"]
    downloads.resume(started.id)
    await run_pending_tasks()
    assert hub.began[-1] == "a/b"


async def cancelled_after_progress(
    hub: Hub, downloads: Downloads, target: str, chosen: str | None = None
) -> Download:
    """Start a download, let it report 40 bytes, and cancel it."""
    started = downloads.start(target)
    await run_pending_tasks()
    hub.progress(target, 40, chosen=chosen)
    return await downloads.cancel(started.id)


@pytest.mark.parametrize(
    ("old", "chosen", "new"),
    [
        ("a/b", None, "a/b"),
        ("a/b", "a/b:Q4_K_M", "a/b"),
        ("a/b", "a/b:Q4_K_M", "a/b:Q4_K_M"),
        ("a/b:Q4_K_M", "a/b:Q4_K_M", "a/b"),
    ],
)
@pytest.mark.parametrize("is_paused", [True, False])
async def test_files_of_an_open_download_are_not_discarded(
    hub: Hub, downloads: Downloads, *, old: str, chosen: str | None, new: str, is_paused: bool
) -> None:
    """A cancelled download of the same files has no claim on them; its answer shows that they are there."""
    first = await cancelled_after_progress(hub, downloads, old, chosen)
    second = downloads.start(new)
    await run_pending_tasks()
    hub.progress(new, 50, chosen=chosen)
    await run_pending_tasks()
    if is_paused:
        await downloads.pause(second.id)
    kept = await downloads.cancel(first.id, with_files=True)
    assert (kept.state, kept.done_bytes, hub.discarded) == (CANCELLED, 40, [])
    assert downloads.show(second.id).state is (PAUSED if is_paused else RUNNING)
    await downloads.cancel(second.id)
    assert (await downloads.cancel(first.id, with_files=True)).done_bytes == 0
    assert hub.discarded == [chosen or old]


async def test_progress_of_files_that_stay_is_kept(hub: Hub, downloads: Downloads) -> None:
    """Another process is pulling them."""
    ended = await cancelled_after_progress(hub, downloads, "a")
    hub.can_discard = False
    assert await downloads.cancel(ended.id, with_files=True) == ended
    assert ended.done_bytes == 40


async def test_a_download_that_has_not_run_has_no_files(hub: Hub, downloads: Downloads) -> None:
    """What an earlier pull of its repository left is not its own; it was in the queue, or had no progress."""
    ids = [downloads.start(target).id for target in "abc"]
    await run_pending_tasks()
    for download_id in ids:
        assert (await downloads.cancel(download_id, with_files=True)).state is CANCELLED
    assert hub.discarded == []


@pytest.mark.parametrize("is_pause_first", [True, False])
async def test_a_cancellation_overrides_a_pause(
    hub: Hub, downloads: Downloads, *, is_pause_first: bool
) -> None:
    """In either order, so a download whose files are deleted is not paused. Both calls return the same state."""
    started = downloads.start("a")
    await run_pending_tasks()
    hub.progress("a", 40)
    both = [downloads.pause(started.id), downloads.cancel(started.id, with_files=True)]
    await asyncio.gather(*(both if is_pause_first else both[::-1]))
    ended = downloads.show(started.id)
    assert (ended.state, ended.done_bytes, hub.discarded) == (CANCELLED, 0, ["a"])
    assert hub.ended == ["a"]
    downloads.resume(started.id)
    assert (await downloads.pause(started.id)).state is PAUSED


async def test_a_download_that_is_resumed_during_a_cancellation_keeps_its_files(
    hub: Hub, downloads: Downloads
) -> None:
    """The latest request counts: it pulls on."""
    started = downloads.start("a")
    await run_pending_tasks()
    hub.progress("a", 40)
    cancelling = asyncio.create_task(downloads.cancel(started.id, with_files=True))
    async with aclosing(downloads.follow(started.id)) as followed:
        async for download in followed:
            if download.state is CANCELLED:
                break
    downloads.resume(started.id)
    assert (await cancelling).state is RUNNING
    assert hub.discarded == []


async def test_a_resume_during_a_pause_is_not_undone(hub: Hub, downloads: Downloads) -> None:
    """The pause that returns late does not stop the second run, whose progress counts; that of the first does not."""
    started = downloads.start("a")
    await run_pending_tasks()
    late = hub.on_progress["a"]
    pausing = asyncio.create_task(downloads.pause(started.id))
    async with aclosing(downloads.follow(started.id)) as followed:
        async for download in followed:
            if download.state is PAUSED:
                break
    downloads.resume(started.id)
    await pausing
    await run_pending_tasks()
    late(PullProgress(file="f.gguf", done_bytes=99, total_bytes=100, phase="verifying"))
    hub.progress("a", 7)
    await run_pending_tasks()
    shown = downloads.show(started.id)
    assert (shown.state, shown.done_bytes, hub.began) == (RUNNING, 7, ["a", "a"])


async def test_paused_downloads_do_not_expire_and_count_as_open(hub: Hub, downloads: Downloads) -> None:
    """So the list stays bounded."""
    ids = [downloads.start(f"{number}").id for number in range(2 + MAX_QUEUED)]
    for download_id in ids:
        await downloads.pause(download_id)
    hub.now_s += FINISHED_TTL_S + 1
    assert {download.state for download in downloads.list()} == {PAUSED}
    with pytest.raises(QueueFullError):
        downloads.start("one more")
    await downloads.cancel(ids[0])
    downloads.start("one more")
    with pytest.raises(QueueFullError):
        downloads.resume(ids[0])


async def test_resume_returns_a_newer_download_of_the_target(downloads: Downloads) -> None:
    """The same target is not pulled twice at once."""
    first = downloads.start("a")
    await downloads.cancel(first.id)
    second = downloads.start("a")
    assert downloads.resume(first.id).id == second.id


async def test_what_is_done_or_closed_does_not_resume(hub: Hub, downloads: Downloads) -> None:
    """With an error that says why; files of a download that is done are kept."""
    done, paused = downloads.start("a"), downloads.start("b")
    await run_pending_tasks()
    hub.done("a")
    await final(downloads, done.id)
    await downloads.cancel(done.id, with_files=True)
    assert hub.discarded == []
    with pytest.raises(DownloadDoneError):
        downloads.resume(done.id)
    await downloads.pause(paused.id)
    await downloads.aclose()
    assert downloads.show(paused.id).state is CANCELLED
    with pytest.raises(ShuttingDownError):
        downloads.resume(paused.id)
