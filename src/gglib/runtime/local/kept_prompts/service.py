"""Keeps prompts of all models: the files, their limits, and what was saved and restored so far."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from gglib.core.models import ModelLaunchSpec
from gglib.core.runtime.kept_prompts import NO_TRANSFER, KeptTotals, KeptTransfer
from gglib.runtime.engines.kept_prompts.policy import WriteAllowance
from gglib.runtime.local.kept_prompts.store import KeptSlot, KeptStore

logger = logging.getLogger("gglib.runtime")

BytesToken = Callable[[ModelLaunchSpec], float | None]
"""A model -> about how many bytes a saved token takes; None if unknown. May block."""
DURABLE_LIMIT_S = 10.0
"""How long a shutdown may wait for the disk. Files that are not on it then are used in the same boot only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSettings:
    """The settings of kept prompts."""

    directory: Path
    limit_bytes: int
    """The setting ``kv_keep``; 0: nothing is kept."""
    keeps_over_restart: bool = False
    bytes_token: BytesToken | None = None
    """An estimate for models that were never saved; None: a common one."""


def add_transfer(
    former: KeptTransfer | None, *, tokens: int, size_bytes: int, seconds: float
) -> KeptTransfer:
    """Return the sum with one more slot."""
    transfer = KeptTransfer(slots=1, tokens=tokens, size_bytes=size_bytes, seconds=seconds)
    return (former or NO_TRANSFER) + transfer


class KeptPrompts:
    """The kept prompts of a home directory. Used from the loop's thread only."""

    def __init__(self, settings: KeepSettings) -> None:
        self.settings = settings
        self.store = KeptStore(settings.directory)
        self.hints: dict[int, str] = {}
        """By model: the command that would have saved time."""
        self.allowance = WriteAllowance()
        self.planned_bytes = 0
        """What is being saved and is not among the files yet: several launches may save at the same time."""
        self.saved = self.restored = NO_TRANSFER
        self._files = self._files_bytes = 0
        self._warned: set[str] = set()

    @property
    def totals(self) -> KeptTotals:
        """What was saved and restored so far, and the files as they were at the last look."""
        return KeptTotals(
            saved=self.saved,
            restored=self.restored,
            files=self._files,
            files_bytes=self._files_bytes,
            limit_bytes=self.settings.limit_bytes,
        )

    def add_saved(self, transfer: KeptTransfer) -> None:
        """Count a save."""
        self.saved += transfer

    def add_restored(self, transfer: KeptTransfer) -> None:
        """Count a restore."""
        self.restored += transfer

    def count(self, slots: list[KeptSlot]) -> None:
        """Note the files that there are."""
        self._files = len(slots)
        self._files_bytes = sum(slot.note.size_bytes for slot in slots)

    async def prepare(self) -> None:
        """Delete what earlier processes left and no launch may use. Call it before the first launch."""
        keeps = self.settings.keeps_over_restart and self.settings.limit_bytes > 0
        await self._sweep(keeps_slots=keeps)

    async def close(self) -> None:
        """Delete the files, or make them survive a power cut if they are kept over a restart."""
        if self.settings.keeps_over_restart and self.settings.limit_bytes > 0:
            await asyncio.to_thread(self._make_durable)
        else:
            await self._sweep(keeps_slots=False)

    def warn_once(self, text: str) -> None:
        """Log a warning, once in the life of the process: its cause may be there at each stop."""
        if text not in self._warned:
            self._warned.add(text)
            logger.warning("%s", text)

    async def _sweep(self, *, keeps_slots: bool) -> None:
        try:
            deleted = await asyncio.to_thread(self.store.sweep, keeps_slots=keeps_slots)
            self.count(await asyncio.to_thread(self.store.slots))
        except OSError as error:
            logger.warning(
                "saved conversations in %s cannot be deleted (%s): delete that directory",
                self.settings.directory,
                error.strerror or error,
            )
            return
        if deleted:
            logger.debug("deleted %d files of saved conversations", deleted)

    def _make_durable(self) -> None:
        deadline = monotonic() + DURABLE_LIMIT_S
        try:
            for slot in sorted(self.store.slots(), key=lambda slot: slot.note.used_at_s, reverse=True):
                if not slot.note.is_durable and monotonic() < deadline:
                    self.store.make_durable(slot)
        except OSError as error:
            logger.warning("saved conversations may not survive a power cut: %s", error.strerror or error)
