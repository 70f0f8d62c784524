"""Copies slots of a running engine: saves one to a file in the launch's private directory and restores it to another.

The file is the conversation, so it is deleted at once. A copy that takes too long goes on by itself until the engine
has answered, because only then its file can be deleted; the request that wanted it does not wait for it.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from gglib.core.models import RunningTarget
from gglib.core.runtime.slots import SlotCopy
from gglib.http.errors import TooManyConnectionsError, TransportError
from gglib.runtime.engines.base import PreparedLaunch
from gglib.runtime.engines.slot_files import SlotFiles, SlotRequest, SlotTransfer
from gglib.runtime.local.copy_rates import CopyRates
from gglib.runtime.local.kept_prompts.engine_requests import SlotRefusedError, get, post

logger = logging.getLogger("gglib.runtime")

LIMIT_S = 1.0
"""How long a request waits for its copy. A save waits for the engine's running batch."""
ABANDONED_S = 30.0
"""How long the engine's answer is waited for without a request."""
MAX_FAILURES = 3
"""Copies that fail or take too long, one after the other, after which there is a pause."""
PAUSE_S = 600.0
"""How long no copy is tried then, and after each further failure: a busy disk is free again, but an engine that cannot
copy would delay requests for nothing."""
MIN_RATE_TOKENS = 256
"""The engine's rate counts from this many computed tokens on: after a restore, a request computes a few, slowly."""
FREE_BYTES = 1024**3
"""What stays free on the disk."""


class SlotCopies:
    """The copies of one launch."""

    def __init__(self, target: RunningTarget, slot_files: SlotFiles) -> None:
        self._target = target
        self._slot_files = slot_files
        self._rates = CopyRates()
        self._failures = 0
        self._failed_s = 0.0
        """When the last one failed (monotonic)."""
        self._started = 0
        self._tasks: set[asyncio.Task[bool]] = set()

    async def copy(self, copy: SlotCopy) -> bool:
        """Copy a slot, if that saves time; False if it is not done after ``LIMIT_S``."""
        if self._failures >= MAX_FAILURES and time.monotonic() < self._failed_s + PAUSE_S:
            return False
        if not self._rates.is_worth(copy):
            self._rates.record_not_worth()
            return False
        is_abandoned = asyncio.Event()
        task = asyncio.create_task(self._run(copy, is_abandoned), name="copy-slot")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await asyncio.wait([task], timeout=LIMIT_S)
        finally:
            is_abandoned.set()
        if task.done():
            return not task.cancelled() and task.result()
        self._count_failure()
        logger.info("a copy of a slot of '%s' took too long", self._target.model_name)
        return False

    async def close(self) -> None:
        """Break off the copies, and return when their files are deleted."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, copy: SlotCopy, is_abandoned: asyncio.Event) -> bool:
        self._started += 1
        file_name = f"copy-{self._started}"
        path = self._slot_files.directory / file_name
        try:
            async with asyncio.timeout(ABANDONED_S):
                if not await asyncio.to_thread(self._has_room, copy):
                    return False
                return await self._save_and_restore(copy, file_name, is_abandoned)
        except (TimeoutError, TransportError, TooManyConnectionsError, SlotRefusedError, OSError) as error:
            self._count_failure()
            logger.info("no copy of a slot of '%s': %s", self._target.model_name, error)
            return False
        finally:
            await asyncio.to_thread(_delete, path)

    async def _save_and_restore(self, copy: SlotCopy, file_name: str, is_abandoned: asyncio.Event) -> bool:
        files, rates = self._slot_files, self._rates
        if rates.prompt_rate is None:
            state = files.read_state(*[await get(self._target, path) for path in files.state_paths])
            if state is not None and state.processed_tokens >= MIN_RATE_TOKENS:
                rates.prompt_rate = state.prompt_tokens_s
        saved = await self._transfer(files.save(copy.source, file_name))
        rates.record_save(copy, saved)
        if is_abandoned.is_set() or not rates.is_worth(copy, is_saved=True):
            return False
        restored = await self._transfer(files.restore(copy.destination, file_name))
        rates.record_restore(restored)
        self._failures = 0
        logger.debug("copied a slot of '%s': %d tokens", self._target.model_name, restored.tokens)
        return True

    def _count_failure(self) -> None:
        self._failures += 1
        self._failed_s = time.monotonic()

    async def _transfer(self, request: SlotRequest) -> SlotTransfer:
        status, body = await post(self._target, request)
        transfer = self._slot_files.read_transfer(body) if status == 200 else None
        if transfer is None:
            raise SlotRefusedError(f"the engine responds to {request.path.decode()} with status {status}")
        return transfer

    def _has_room(self, copy: SlotCopy) -> bool:
        return shutil.disk_usage(self._slot_files.directory).free >= FREE_BYTES + self._rates.size_bytes(copy)


@asynccontextmanager
async def slot_copies(target: RunningTarget, launch: PreparedLaunch) -> AsyncIterator[SlotCopies | None]:
    """Yield the copies of a launch that is ready; None if its slots must not be saved. They end with the block."""
    files = launch.slot_files
    if files is None or files.off_reason is not None:
        yield None
        return
    copies = SlotCopies(target, files)
    try:
        yield copies
    finally:
        await copies.close()


def _delete(path: Path) -> None:
    """Delete a file, unless it is gone with the whole directory of the launch."""
    with suppress(OSError):
        path.unlink()
