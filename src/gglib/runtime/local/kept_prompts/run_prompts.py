"""The prompts of one launch: restored after its start, saved before its stop."""

import asyncio
import logging

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.runtime.kept_prompts import KeptTransfer
from gglib.runtime.engines.kept_prompts.policy import LIMIT_S
from gglib.runtime.engines.slot_files import SlotFiles
from gglib.runtime.launcher import MakeWay
from gglib.runtime.local.kept_prompts.kept_launch import FAILURES, KeptLaunch, reason_of
from gglib.runtime.local.kept_prompts.restoring import Restores
from gglib.runtime.local.kept_prompts.saving import Saves
from gglib.runtime.local.kept_prompts.service import KeptPrompts
from gglib.runtime.scheduler.saving import SaveLimits

logger = logging.getLogger("gglib.runtime")


class RunPrompts:
    """Saves and restores the prompts of one launch."""

    def __init__(
        self, kept: KeptPrompts, files: SlotFiles, spec: ModelLaunchSpec, *, context: int, slots: int
    ) -> None:
        """``spec`` is the launched one, ``context`` that of each of its ``slots``, in tokens."""
        self._launch = KeptLaunch(
            kept=kept, files=files, spec=spec, context=context, slots=slots, off_reason=files.off_reason
        )
        self._restores = Restores(self._launch)
        self._saves = Saves(self._launch)
        self._is_reused: bool | None = None

    @property
    def off_reason(self) -> str | None:
        """Why the prompts are not kept, as a clause; None if they are. Known after ``open``."""
        return self._launch.off_reason

    @property
    def saved(self) -> KeptTransfer | None:
        """What was saved so far; None if nothing was."""
        return self._saves.transfer

    @property
    def restored(self) -> KeptTransfer | None:
        """What was restored; None if nothing was."""
        return self._restores.transfer

    @property
    def restored_slots(self) -> tuple[int, ...]:
        """The slots that were restored."""
        return self._restores.slots

    @property
    def has_lost_engine(self) -> bool:
        """Whether the engine crashed or hung during a restore: it has to be started again."""
        return self._restores.has_lost_engine

    def note_reuse(self, *, is_reused: bool) -> None:
        """Note whether the first response that followed the restore has reused a part of a prompt."""
        if self.restored is not None and self._is_reused is None:
            self._is_reused = is_reused

    async def open(self, target: RunningTarget) -> None:
        """Read what was learned of the model, and what must not change while it runs. Call it first."""
        launch = self._launch
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._saves.note_start(target)
                await asyncio.to_thread(launch.open_directory)
        except FAILURES as error:
            launch.off_reason = launch.off_reason or "its directory or its engine cannot be used"
            launch.kept.warn_once(f"conversations of '{launch.name}' are not kept: {reason_of(error)}")

    async def restore(self, target: RunningTarget) -> None:
        """Restore what is worth it from the files of earlier launches."""
        await self._restores.restore(target)

    @property
    def has_made_way(self) -> bool:
        """Whether the load that waits for the stop has begun beside the saves."""
        return self._saves.has_made_way

    async def save(
        self,
        target: RunningTarget,
        limits: SaveLimits,
        *,
        keep: bool | None,
        make_way: MakeWay | None = None,
    ) -> None:
        """Save what is worth it, for the next launch. Cancel it to stop at once: what is complete stays.

        ``keep`` is the model's setting ``keep_conversations``.
        """
        await self._saves.save(target, limits, keep=keep, make_way=make_way)

    async def finish(self) -> None:
        """Write down what was learned. Call it once, at the end of the launch."""
        launch = self._launch
        if self._is_reused is not None:
            launch.record = launch.record.with_reuse(is_reused=self._is_reused)
        try:
            await asyncio.to_thread(launch.write_record)
        except OSError:  # the directory was deleted with the model, or cannot be written: said before
            logger.debug("what was learned of '%s' is not written", launch.name)
