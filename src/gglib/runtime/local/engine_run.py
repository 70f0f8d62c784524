"""One launch as a task: runs an engine process from start to exit and reports its events.

The task is detached from the request that caused it.
"""

import asyncio
import errno
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from gglib.core.errors import GglibError, ModelLoadFailedError
from gglib.core.models import RunningTarget
from gglib.core.runtime.slots import SlotCopy
from gglib.runtime.launcher import EngineRun, MakeWay, RunEvent, UnexpectedExit
from gglib.runtime.local.engine_figures import read_prompt_cost_s
from gglib.runtime.local.error_redaction import known_directories, redact_error
from gglib.runtime.local.kept_prompts.run_prompts import RunPrompts
from gglib.runtime.local.kept_prompts.service import KeptPrompts
from gglib.runtime.local.launch import launch_engine
from gglib.runtime.local.launch_config import LaunchConfig
from gglib.runtime.local.model_files import has_changed, is_overwritten
from gglib.runtime.local.path_redaction import PathRedactor
from gglib.runtime.local.process_engines import engine_of
from gglib.runtime.local.slot_copies import SlotCopies, slot_copies
from gglib.runtime.local.spawned_engine import PortTakenError, SpawnedEngine
from gglib.runtime.scheduler.events import BecameReady, Died, Launch, LoadFailed
from gglib.runtime.scheduler.kept_events import PromptsRestored, PromptsSaved
from gglib.runtime.scheduler.saving import SaveLimits

if TYPE_CHECKING:
    from gglib.core.runtime.kept_prompts import KeptTransfer

logger = logging.getLogger("gglib.runtime")

DISK_FULL_REASON = "the disk is full: free some space on it"
"""Continues "Model 'chat' could not be loaded: "."""


class EngineLostError(Exception):
    """The engine crashed or hung while saved prompts were restored."""


class LocalEngineRun:
    """An ``EngineRun`` of a process on this machine."""

    def __init__(
        self,
        launch: Launch,
        *,
        name: str,
        config: LaunchConfig,
        on_event: Callable[[RunEvent], None],
        kept: KeptPrompts | None = None,
    ) -> None:
        """``name`` is unique among the launches of this home directory; ``kept`` keeps its prompts, None: nothing."""
        self.launch = launch
        self.spec = launch.spec
        self.started_at = asyncio.get_running_loop().time()
        self.ready_at: float | None = None
        self.pid: int | None = None
        self.slots: int | None = None
        self.prompt_cache_mib: int | None = None
        self.threads: int | None = None
        self.restored: KeptTransfer | None = None
        self.kept_off_reason: str | None = None
        self.keep_hint: str | None = None
        self.keep_conversations = launch.spec.settings.keep_conversations
        self.target: RunningTarget | None = None
        self.unavailable = asyncio.Event()
        self.unexpected_exit: UnexpectedExit | None = None
        self._name = name
        self._config = config
        self._on_event = on_event
        self._copies: SlotCopies | None = None
        self._kept = kept
        self._prompts: RunPrompts | None = None
        self._save_limits: SaveLimits | None = None
        self._make_way: MakeWay | None = None
        self._hurried = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, on_exit: Callable[[EngineRun], None]) -> None:
        """Start the task; ``on_exit`` is called after its cleanup."""
        self._task = asyncio.create_task(self._run_until_stopped(), name=f"engine-{self.launch.generation}")
        self._task.add_done_callback(lambda _: on_exit(self))

    async def is_file_overwritten(self) -> bool:
        """Whether a model file was written to since the launch; checked in a thread."""
        return await asyncio.to_thread(is_overwritten, self.spec)

    async def prompt_cost_s(self) -> float | None:
        """Return the time to process the prompts in its cache again, from the engine's own figures."""
        cost = engine_of(self.spec, self._config).prompt_cost
        return None if self.target is None or cost is None else await read_prompt_cost_s(self.target, cost)

    async def copy_slot(self, copy: SlotCopy) -> bool:
        """Copy the prompt in one slot to another one, if that saves time."""
        if self._copies is None or self.unavailable.is_set():
            return False
        return await self._copies.copy(copy)

    def note_reuse(self, *, is_reused: bool) -> None:
        """Note whether the first response after the restore has reused a part of a prompt."""
        if self._prompts is not None:
            self._prompts.note_reuse(is_reused=is_reused)

    def hurry(self, *, is_shutdown: bool = False) -> None:
        """End the saves before its stop if nothing has waited for them so far, or if a shutdown deletes them."""
        if is_shutdown:
            if self._kept is not None and not self._kept.settings.keeps_over_restart:
                self._hurried.set()
            return
        if self.keep_conversations or self._save_limits is None or self._prompts is None:
            return
        if self._save_limits.yields or self._prompts.has_made_way:
            self._hurried.set()

    def stop(self, saves: SaveLimits | None = None, make_way: MakeWay | None = None) -> None:
        """Save prompts, then stop the process; or stop the load."""
        self._save_limits, self._make_way = saves, make_way
        self.unavailable.set()
        self._stop.set()

    async def wait(self) -> None:
        """Return after the process has exited and the cleanup is done."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run_until_stopped(self) -> None:
        stopping = asyncio.create_task(self._stop.wait())
        running = asyncio.create_task(self._run())
        try:
            await asyncio.wait([stopping, running], return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await self._save_prompts(running)
        finally:
            stopping.cancel()
            running.cancel()
            await asyncio.wait([running])
        if self._prompts is not None:
            await self._prompts.finish()
        if running.cancelled():
            logger.debug("stopped '%s'", self.launch.spec.model_name)
        elif (error := running.exception()) is not None:
            self._report_failure(error)

    async def _run(self) -> None:
        spec = self.launch.spec
        logger.info("loading '%s' with a context of %d", spec.model_name, self.launch.context)
        try:
            await self._run_engine()
        except PortTakenError as error:
            logger.info("starting '%s' with another port: %s", spec.model_name, error.reason)
            await self._run_engine()
        except EngineLostError:
            logger.warning("starting '%s' again, without its saved conversations", spec.model_name)
            await self._run_engine(restores=False)

    async def _run_engine(self, *, restores: bool = True) -> None:
        spec = self.launch.spec
        async with launch_engine(
            spec, context=self.launch.context, name=self._name, config=self._config
        ) as engine:
            self.spec, self.pid = engine.spec, engine.process.pid
            self.slots, self.threads = engine.launch.slots, engine.launch.threads
            self.prompt_cache_mib = engine.launch.prompt_cache_mib
            logger.info(
                "'%s' runs as pid %d, slots: %s, threads: %s",
                spec.model_name,
                self.pid,
                self.slots or "unknown",
                self.threads or "default",
            )
            target = await engine.wait_until_ready()
            self.target = await self._with_prompts(target, engine, restores=restores)
            self.ready_at = asyncio.get_running_loop().time()
            is_other_version = engine.spec.path.absolute() != spec.path.absolute()
            async with slot_copies(self.target, engine.launch) as self._copies:
                self._on_event(BecameReady(self.launch.generation, engine.spec if is_other_version else None))
                reason = await engine.reason_for_exit(was_ready=True)
                self._record_exit(engine, reason)

    async def _with_prompts(
        self, target: RunningTarget, engine: SpawnedEngine, *, restores: bool
    ) -> RunningTarget:
        """Restore kept prompts, and return the target with their slots.

        Raises ``EngineLostError`` if the engine crashes or hangs meanwhile.
        """
        files, slots = engine.launch.slot_files, engine.launch.slots
        if self._kept is None or files is None or slots is None:
            return target
        prompts = RunPrompts(self._kept, files, engine.spec, context=engine.context, slots=slots)
        self.keep_hint = self._kept.hints.get(engine.spec.model_id)
        if self.keep_conversations is False:
            self.kept_off_reason = "its setting keep-conversations is off"
            restores = False
        await prompts.open(target)
        if restores:
            await prompts.restore(target)
        if prompts.has_lost_engine:
            raise EngineLostError
        self._prompts = prompts
        self.restored = prompts.restored
        self.kept_off_reason = self.kept_off_reason or prompts.off_reason
        if self.restored is not None:
            self._on_event(PromptsRestored(self.launch.generation, self.restored))
        return replace(target, kept_slots=prompts.restored_slots)

    async def _save_prompts(self, running: asyncio.Task[None]) -> None:
        """Save prompts before the stop: until it is done, the engine exits, or a request waits (``hurry``)."""
        prompts, limits, target = self._prompts, self._save_limits, self.target
        keep, kept = self.keep_conversations, self._kept
        if prompts is None or limits is None or target is None or kept is None or keep is False:
            return
        if limits.is_shutdown and not kept.settings.keeps_over_restart:
            return
        saving = asyncio.create_task(prompts.save(target, limits, keep=keep, make_way=self._make_way))
        hurried = asyncio.create_task(self._hurried.wait())
        try:
            await asyncio.wait([saving, hurried, running], return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurried.cancel()
            saving.cancel()
            await asyncio.wait([saving])
        if not saving.cancelled() and (error := saving.exception()) is not None:
            logger.error("conversations of '%s' are not saved", self.launch.spec.model_name, exc_info=error)
        if prompts.saved is not None:
            self._on_event(PromptsSaved(self.launch.generation, prompts.saved))

    def _record_exit(self, engine: SpawnedEngine, reason: str) -> None:
        if self._stop.is_set():  # it crashed while its prompts were saved: it was to stop anyway
            logger.warning("'%s' died while it was stopped: %s", self.launch.spec.model_name, reason)
            return
        has_changed_file = has_changed(engine.spec)
        if has_changed_file:
            # Memory-mapped pages are read from the changed file: other weights, or none at all (SIGBUS).
            reason = f"its file changed while it was loaded ({reason})"
        redactor = self._redactor()
        self.unexpected_exit = UnexpectedExit(
            reason=redactor.redact(reason),
            last_lines=tuple(map(redactor.redact, engine.last_lines)),
            has_changed_file=has_changed_file,
        )
        self.unavailable.set()
        logger.error("'%s' died while it was running: %s", self.launch.spec.model_name, reason)
        # Before the cleanup: no further request may be sent to the exited process.
        self._on_event(Died(self.launch.generation, self.unexpected_exit.reason))

    def _report_failure(self, error: BaseException) -> None:
        name = self.launch.spec.model_name
        if not isinstance(error, GglibError):
            reason = _start_failure_reason(error)
            if (
                reason == DISK_FULL_REASON
            ):  # a fact of the machine: its traceback would hide the log's other lines
                logger.error("'%s' could not be launched: %s", name, reason)
            else:
                logger.error("launching '%s' failed", name, exc_info=error)
            error = ModelLoadFailedError(name, reason)
        else:
            logger.error("%s", error)
        self._on_event(LoadFailed(self.launch.generation, redact_error(error, self._redactor())))

    def _redactor(self) -> PathRedactor:
        """Return the redactor of this launch's paths, for messages to clients."""
        return PathRedactor(known_directories(self.launch.spec, self._config), self._config.home)


def _start_failure_reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DISK_FULL_REASON
    if isinstance(error, OSError) and error.strerror:
        return f"gglib could not start the engine ({error.strerror})"
    return "gglib could not start the engine; the cause is in gglib's log"
