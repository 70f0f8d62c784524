"""Saves the prompts of an engine before its stop. Whatever fails, it stops without: the log has one sentence."""

import asyncio
import logging
import math
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from gglib.core.models import RunningTarget
from gglib.core.shell_quoting import quoted_command
from gglib.runtime.engines.kept_prompts.fingerprint import SavedSlot
from gglib.runtime.engines.kept_prompts.policy import (
    LIMIT_S,
    MIN_TOKENS,
    REQUEST_S,
    KeptFile,
    Room,
    SavePlan,
    SlotPrompt,
    SlotRates,
    plan_saves,
)
from gglib.runtime.engines.slot_files import SlotState
from gglib.runtime.launcher import MakeWay
from gglib.runtime.local.kept_prompts.engine_requests import SlotRefusedError, get, post
from gglib.runtime.local.kept_prompts.kept_launch import FAILURES, OVERRUN, KeptLaunch, reason_of
from gglib.runtime.local.kept_prompts.service import add_transfer
from gglib.runtime.local.kept_prompts.store import KeptSlot
from gglib.runtime.scheduler.saving import SaveLimits

if TYPE_CHECKING:
    from gglib.core.runtime.kept_prompts import KeptTransfer

logger = logging.getLogger("gglib.runtime")
STATE_LIMIT_S = 2.0
"""How long an idle engine may take to say what is in its slots: one that does not respond hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """What is known at a stop."""

    prompts: dict[int, SlotPrompt]
    """By slot."""
    rates: SlotRates
    files: dict[str, KeptSlot]
    """By name."""
    kept: tuple[KeptFile, ...]
    free_bytes: int
    """Free on the disk."""

    def plan(self, room: Room, *, waiting: int, limit_s: float) -> SavePlan:
        """Return what is saved within limits."""
        prompts = tuple(self.prompts.values())
        return plan_saves(prompts, self.rates, self.kept, room, waiting=waiting, limit_s=limit_s)

    def is_too_slow(self, *, waiting: int, limit_s: float) -> bool:
        """Whether nothing is saved because of the rates, however much room there is; False if nothing is to save."""
        if all(prompt.tokens < MIN_TOKENS for prompt in self.prompts.values()):
            return False
        room = Room(keep_bytes=sys.maxsize, free_bytes=sys.maxsize)
        return not self.plan(room, waiting=waiting, limit_s=limit_s).save

    def size_bytes(self, slot: int) -> int:
        """Return how much the save of a slot writes."""
        return round(self.rates.size_bytes(self.prompts[slot].tokens))


class Saves:
    """The saves of one launch."""

    def __init__(self, launch: KeptLaunch) -> None:
        self.transfer: KeptTransfer | None = None
        """What was saved; None if nothing was."""
        self.has_made_way = False
        """Whether the load that waits for the stop has begun beside the saves."""
        self._launch = launch
        self._state_after_start = b""
        self._bytes_token: float | None = None
        """An estimate, while nothing is measured."""
        self._saving: tuple[SlotPrompt, SlotRates, float] | None = None
        """The save that is running, and when it began."""

    async def note_start(self, target: RunningTarget) -> None:
        """Read what must not change while the engine runs."""
        if self._launch.files.unchanged_path is not None:
            self._state_after_start = await get(target, self._launch.files.unchanged_path)

    async def save(
        self, target: RunningTarget, limits: SaveLimits, *, keep: bool | None, make_way: MakeWay | None
    ) -> None:
        """Save what is worth it, for the next launch. Cancel it to stop at once: what is complete stays.

        ``keep`` is the model's setting ``keep_conversations``. The saves ``make_way`` for the load that waits for them,
        where there is memory for both; otherwise only those are made that delay it little.
        """
        limit_s = LIMIT_S if keep or limits.delay_s is None else min(LIMIT_S, limits.delay_s)
        if self._launch.off_reason is not None or limit_s < 2 * REQUEST_S:
            return
        launch, began_s = self._launch, time.monotonic()
        try:
            async with asyncio.timeout(limit_s * OVERRUN) as timeout:
                async with asyncio.timeout(STATE_LIMIT_S):
                    state = await self._read_state(target)
                stop = None if state is None else await asyncio.to_thread(self._read_stop, state)
                if stop is None:
                    return
                await self._make_way(stop, limits, make_way, keep=keep)
                if self.has_made_way:
                    timeout.reschedule(asyncio.get_running_loop().time() + LIMIT_S * OVERRUN)
                    plan = stop.plan(self._room(stop, keep=keep), waiting=0, limit_s=LIMIT_S)
                else:
                    left_s = limit_s - (time.monotonic() - began_s)
                    plan = stop.plan(self._room(stop, keep=keep), waiting=limits.waiting, limit_s=left_s)
                    if keep is None:
                        self._note_hint(stop, plan, waiting=limits.waiting)
                    if not plan.save and stop.is_too_slow(waiting=limits.waiting, limit_s=left_s):
                        launch.record = launch.record.with_nothing_saved()
                await self._carry_out(target, stop, plan, keep=keep)
        except TimeoutError:
            launch.kept.warn_once(
                f"conversations of '{launch.name}' are not saved: that takes longer than expected"
            )
            if self._saving is not None:
                prompt, rates, began_s = self._saving
                launch.record = launch.record.with_unfinished_save(
                    size_bytes=rates.size_bytes(prompt.tokens), seconds=time.monotonic() - began_s
                )
        except FAILURES as error:
            launch.kept.warn_once(f"conversations of '{launch.name}' cannot be saved: {reason_of(error)}")
        finally:
            if self.transfer is not None:
                launch.kept.add_saved(self.transfer)
                logger.info(
                    "saved %d tokens of '%s' in %.2f s",
                    self.transfer.tokens,
                    launch.name,
                    self.transfer.seconds,
                )

    async def _make_way(
        self, stop: _Stop, limits: SaveLimits, make_way: MakeWay | None, *, keep: bool | None
    ) -> None:
        """Let the load that waits begin beside the saves, if any is worth it."""
        delay_s = limits.delay_s
        if delay_s is None or make_way is None or not limits.may_make_way:
            return
        if stop.plan(self._room(stop, keep=keep), waiting=0, limit_s=LIMIT_S).save:
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    self.has_made_way = await make_way()

    def _room(self, stop: _Stop, *, keep: bool | None) -> Room:
        """Return the limits now. Several launches may save at the same time: await nothing before ``_carry_out``."""
        kept = self._launch.kept
        return Room(
            keep_bytes=kept.settings.limit_bytes - kept.planned_bytes,
            free_bytes=stop.free_bytes - kept.planned_bytes,
            write_bytes=math.inf if keep else kept.allowance.left(time.monotonic()),
        )

    async def _carry_out(
        self, target: RunningTarget, stop: _Stop, plan: SavePlan, *, keep: bool | None
    ) -> None:
        """Save as planned. What is planned counts as written, whether it is finished or not."""
        kept = self._launch.kept
        left = {slot: stop.size_bytes(slot) for slot in plan.save}
        kept.planned_bytes += sum(left.values())
        if keep is None:
            kept.allowance.take(sum(left.values()), time.monotonic())
        try:
            await asyncio.to_thread(self._make_room, stop, plan)
            for slot in plan.save:
                await self._save_slot(target, stop.prompts[slot], stop.rates)
                kept.planned_bytes -= left.pop(slot)
        finally:
            kept.planned_bytes -= sum(left.values())

    async def _read_state(self, target: RunningTarget) -> SlotState | None:
        files = self._launch.files
        if files.unchanged_path is not None:
            now = await get(target, files.unchanged_path)
            if now != self._state_after_start:
                logger.debug("'%s' is not saved: its adapters were changed", self._launch.name)
                return None
        return files.read_state(*[await get(target, path) for path in files.state_paths])

    def _read_stop(self, state: SlotState) -> _Stop | None:
        """Return what the plans depend on; None while the speed of prompts is unknown. Blocks."""
        launch, kept = self._launch, self._launch.kept
        launch.record = launch.record.with_prompts(
            tokens=state.processed_tokens, tokens_s=state.prompt_tokens_s
        )
        estimate = kept.settings.bytes_token
        self._bytes_token = None if estimate is None or launch.record.bytes_token else estimate(launch.spec)
        rates = launch.record.rates(bytes_token=self._bytes_token)
        if rates is None:
            return None
        now, slots = time.time(), launch.store.slots()
        files = (
            KeptFile(
                name=slot.name,
                size_bytes=slot.note.size_bytes,
                gain_s=slot.note.gain_s,
                idle_s=now - slot.note.used_at_s,
            )
            for slot in slots
        )
        return _Stop(
            prompts={prompt.slot: prompt for prompt in state.prompts},
            rates=rates,
            files={slot.name: slot for slot in slots},
            kept=tuple(files),
            free_bytes=shutil.disk_usage(launch.store.directory).free,
        )

    def _make_room(self, stop: _Stop, plan: SavePlan) -> None:
        """Delete the files that a plan deletes. Blocks."""
        for name in plan.delete:
            self._launch.store.delete(stop.files[name])
        self._launch.kept.count([slot for name, slot in stop.files.items() if name not in plan.delete])

    async def _save_slot(self, target: RunningTarget, prompt: SlotPrompt, rates: SlotRates) -> None:
        source = self._launch.files.directory / f"saved-{prompt.slot}.bin"
        self._saving = prompt, rates, time.monotonic()
        try:
            status, body = await post(target, self._launch.files.save(prompt.slot, source.name))
            seconds = time.monotonic() - self._saving[2]
            refusal = self._launch.files.read_refusal(status, body)
            if refusal is not None:
                self._launch.record = replace(self._launch.record, refusal=refusal)
                self._launch.off_reason = refusal
                raise SlotRefusedError(refusal)
            transfer = self._launch.files.read_transfer(body) if status == 200 else None
            if transfer is None:
                raise SlotRefusedError(f"the engine refuses it with status {status}")
            size_bytes = source.stat().st_size
            is_other = transfer.tokens != prompt.tokens  # a request that was given up ran on
            if is_other or not self._launch.kept.settings.limit_bytes:  # or nothing is kept any more
                self._saving = None
                return
            if not size_bytes or size_bytes != transfer.size_bytes:
                raise OSError(0, "the file is not complete: is the disk full?")
            note = self._note_of(prompt, size_bytes, rates)
            await _finished(self._launch.store.put, self._launch.spec.model_id, source, note)
        finally:
            with suppress(OSError):
                source.unlink(missing_ok=True)
        self._saving = None
        self._launch.record = self._launch.record.with_save(
            tokens=prompt.tokens, size_bytes=size_bytes, seconds=seconds, bytes_token=self._bytes_token
        )
        self.transfer = add_transfer(
            self.transfer, tokens=prompt.tokens, size_bytes=size_bytes, seconds=seconds
        )

    def _note_of(self, prompt: SlotPrompt, size_bytes: int, rates: SlotRates) -> SavedSlot:
        return SavedSlot(
            fingerprint=self._launch.files.fingerprint,
            slot=prompt.slot,
            tokens=prompt.tokens,
            size_bytes=size_bytes,
            used_at_s=time.time() - prompt.idle_s,
            gain_s=rates.gain_s(prompt.tokens),
            boot=self._launch.store.boot,
        )

    def _note_hint(self, stop: _Stop, plan: SavePlan, *, waiting: int) -> None:
        """Note, once for each model, that the time for saves was too short for what would have paid."""
        worthy = stop.plan(self._room(stop, keep=True), waiting=waiting, limit_s=LIMIT_S)
        cold = [stop.prompts[slot] for slot in worthy.save if slot not in plan.save]
        if not cold or self._launch.spec.model_id in self._launch.kept.hints:
            return
        tokens = sum(prompt.tokens for prompt in cold)
        gain_s = sum(stop.rates.gain_s(prompt.tokens) for prompt in cold)
        cost_s = sum(stop.rates.save_s(prompt.tokens) for prompt in cold)
        hint = (
            f"Conversations of '{self._launch.name}' with {tokens:,} tokens were not saved at its stop, because "
            f"that takes {cost_s:.2f} s; it would save {gain_s:.1f} s when they go on. "
            f"{quoted_command('set', self._launch.name, '--keep-conversations', 'on')} saves them."
        )
        self._launch.kept.hints[self._launch.spec.model_id] = hint
        logger.info("%s", hint)


async def _finished(put: Callable[[int, Path, SavedSlot], None], *arguments: Any) -> None:  # noqa: ANN401 - passed on
    """Call ``put`` in a thread and wait for its end, also if the caller is cancelled: nothing writes after it."""
    task = asyncio.ensure_future(asyncio.to_thread(put, *arguments))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
