"""Restores the prompts of earlier launches after an engine's start. Whatever fails, it goes on without them."""

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gglib.core.models import RunningTarget
from gglib.runtime.engines.kept_prompts.fingerprint import cold_reason
from gglib.runtime.engines.kept_prompts.policy import LIMIT_S, SavedPrompt, plan_restores
from gglib.runtime.local.kept_prompts.engine_requests import post
from gglib.runtime.local.kept_prompts.kept_launch import FAILURES, OVERRUN, KeptLaunch, reason_of
from gglib.runtime.local.kept_prompts.service import add_transfer
from gglib.runtime.local.kept_prompts.store import KeptSlot

if TYPE_CHECKING:
    from gglib.core.runtime.kept_prompts import KeptTransfer

logger = logging.getLogger("gglib.runtime")


class Restores:
    """The restores of one launch."""

    def __init__(self, launch: KeptLaunch) -> None:
        self.transfer: KeptTransfer | None = None
        """What was restored; None if nothing was."""
        self.slots: tuple[int, ...] = ()
        """The restored slots."""
        self.has_lost_engine = False
        """Whether the engine crashed or hung meanwhile: it has to be started again."""
        self._launch = launch
        self._restoring: KeptSlot | None = None
        """The one that the engine has not answered yet."""

    async def restore(self, target: RunningTarget) -> None:
        """Restore what is worth it from the files of earlier launches."""
        launch = self._launch
        try:
            async with asyncio.timeout(LIMIT_S * OVERRUN):
                for slot in await asyncio.to_thread(self._plan_restores):
                    await self._restore_slot(target, slot)
        except FAILURES as error:
            launch.kept.warn_once(
                f"saved conversations of '{launch.name}' cannot be restored: {reason_of(error)}"
            )
        if self._restoring is not None:  # the file may be why the engine crashed or hangs
            self.has_lost_engine = True
            with suppress(OSError):
                await asyncio.to_thread(launch.store.delete, self._restoring)
        elif self.transfer is not None:
            launch.kept.add_restored(self.transfer)
            logger.info(
                "restored %d tokens of '%s' in %.2f s",
                self.transfer.tokens,
                launch.name,
                self.transfer.seconds,
            )

    def _plan_restores(self) -> list[KeptSlot]:
        rates = self._launch.record.rates(bytes_token=None)
        usable = {
            slot.name: slot
            for slot in self._launch.store.slots_of(self._launch.spec.model_id)
            if self._fits(slot)
        }
        if rates is None or self._launch.off_reason is not None:
            return []
        now = time.time()
        saved = [
            SavedPrompt(name=name, tokens=slot.note.tokens, idle_s=now - slot.note.used_at_s)
            for name, slot in usable.items()
            if slot.note.slot < self._launch.slots
        ]
        return [usable[name] for name in plan_restores(saved, rates, slots=self._launch.slots)]

    def _fits(self, slot: KeptSlot) -> bool:
        """Whether this launch can use a file. One that no launch like this can ever use is deleted."""
        note, fingerprint = slot.note, self._launch.files.fingerprint
        size_bytes = slot.path.stat().st_size
        reason = cold_reason(note, fingerprint, context=self._launch.context, size_bytes=size_bytes)
        if reason is not None:
            logger.debug("%s of '%s' is cold: %s", slot.path.name, self._launch.spec.model_name, reason)
            if note.fingerprint != fingerprint or note.size_bytes != size_bytes:
                self._launch.store.delete(slot)
        return reason is None

    async def _restore_slot(self, target: RunningTarget, slot: KeptSlot) -> None:
        note = slot.note
        link = self._launch.files.directory / f"kept-{note.slot}.bin"
        began_s = time.monotonic()
        try:
            link.symlink_to(slot.path.absolute())
            self._restoring = slot
            status, body = await post(target, self._launch.files.restore(note.slot, link.name))
            self._restoring = None
        finally:
            link.unlink(missing_ok=True)
        seconds = time.monotonic() - began_s
        transfer = self._launch.files.read_transfer(body) if status == 200 else None
        if transfer is None or transfer.tokens != note.tokens:
            logger.info(
                "a saved conversation of '%s' is not restored: the engine refuses its file", self._launch.name
            )
            await asyncio.to_thread(self._launch.store.delete, slot)
            return
        self.slots += (note.slot,)
        self.transfer = add_transfer(
            self.transfer, tokens=note.tokens, size_bytes=note.size_bytes, seconds=seconds
        )
        self._launch.record = self._launch.record.with_restore(size_bytes=note.size_bytes, seconds=seconds)
