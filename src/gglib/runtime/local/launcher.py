"""Starts engines as processes on this machine."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gglib.core.errors import GglibError, ModelLoadFailedError
from gglib.core.models import ModelKind, ModelLaunchSpec
from gglib.core.runtime.kept_prompts import KeptTotals
from gglib.runtime.engines.base import Engine
from gglib.runtime.launcher import EngineRun, RunEvent
from gglib.runtime.local.engine_run import LocalEngineRun
from gglib.runtime.local.error_redaction import redact_preflight_error
from gglib.runtime.local.kept_prompts.service import KeptPrompts
from gglib.runtime.local.launch_config import LaunchConfig
from gglib.runtime.local.process_engines import engine_of
from gglib.runtime.local.version_lock import lock_version
from gglib.runtime.local.workspace import reap_orphans
from gglib.runtime.scheduler.events import Launch

logger = logging.getLogger("gglib.runtime")

Preflight = Callable[[ModelLaunchSpec], Awaitable[ModelLaunchSpec]]
"""Checks a model before another one is evicted for it, and returns its spec, possibly with newer facts about its files.
The ``marks`` of the given spec are current. Raises a ``GglibError`` for a model that cannot be loaded."""


class LocalLauncher:
    """A ``Launcher`` of processes. Each launch has a private directory below ``config.engines_dir``."""

    def __init__(self, config: LaunchConfig, *, preflight: Preflight | None = None) -> None:
        self._config = config
        self._preflight = preflight
        self._kept = None if config.keep is None else KeptPrompts(config.keep)
        self._deletion: asyncio.Future[None] | None = None
        self._running: set[LocalEngineRun] = set()
        """The launches that have not exited."""

    def reconfigure(self, config: LaunchConfig) -> None:
        """Replace the configuration of later launches, from the loop. Where prompts are kept does not change.

        If none are kept any more, the files are deleted.
        """
        self._config = config
        if self._kept is not None and config.keep is not None:
            self._kept.settings = config.keep
            if not config.keep.limit_bytes:
                self._deletion = asyncio.ensure_future(self._kept.prepare())

    async def prepare(self) -> None:
        """Kill engines that a crash left running. Call it only while holding the home directory's lock."""
        killed = await asyncio.to_thread(reap_orphans, self._config.engines_dir)
        if killed:
            logger.warning("killed %d engine process(es) left by an earlier gglib", len(killed))
        if self._kept is not None:
            await self._kept.prepare()

    async def close(self) -> None:
        """Delete the kept prompts, unless they outlast this process. Call it after the last engine has exited."""
        if self._deletion is not None:
            await self._deletion
        if self._kept is not None:
            await self._kept.close()

    async def check(self, spec: ModelLaunchSpec) -> ModelLaunchSpec:
        """Check a model's files and what its engine needs, and run ``preflight``; raises a ``GglibError``.

        ``preflight`` reads headers, so it is not run for a model with a backend: its file may have any format.
        """
        config = self._config
        try:
            async with lock_version(spec, config.resolve) as locked:
                await asyncio.to_thread(engine_of(locked, config).check, locked)
                _check_kind(locked, config.engine)
                if self._preflight is None or locked.backend is not None:
                    return locked
                return await self._preflight(locked)
        except GglibError as error:
            redacted = await asyncio.to_thread(redact_preflight_error, error, spec, config)
            if redacted is error:
                raise
            raise redacted from error

    def start(
        self, launch: Launch, *, on_event: Callable[[RunEvent], None], on_exit: Callable[[EngineRun], None]
    ) -> EngineRun:
        """Start the task that runs one engine. Its directory is ``PID-GENERATION``."""
        name = f"{os.getpid()}-{launch.generation}"
        computing = sum(not run.unavailable.is_set() for run in self._running)
        config = replace(self._config, running_engines=computing + 1)
        is_keeping = self._kept is not None and self._kept.settings.limit_bytes > 0
        kept = self._kept if is_keeping else None
        run = LocalEngineRun(launch, name=name, config=config, on_event=on_event, kept=kept)

        def end(ended: EngineRun) -> None:
            self._running.discard(run)
            on_exit(ended)

        self._running.add(run)
        run.start(end)
        return run

    def kept_totals(self) -> KeptTotals | None:
        """Return what was saved and restored since the start, and the files; None if nothing is kept."""
        return None if self._kept is None else self._kept.totals


def _check_kind(spec: ModelLaunchSpec, engine: Engine) -> None:
    """Raise ``ModelLoadFailedError`` for a model of a kind that the engine for all models does not serve."""
    capabilities = spec.capabilities
    kind: ModelKind = "rerank" if capabilities.rerank else "embedding" if capabilities.embedding else "chat"
    if spec.backend is None and kind not in engine.abilities.kinds:
        raise ModelLoadFailedError(
            spec.model_name,
            f"the engine '{engine.kind}' does not serve {kind} models: "
            "choose another one with 'gglib config set engine embedded'",
        )
