"""Starts engines as processes on this machine."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gglib.core.errors import GglibError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.launcher import EngineRun, RunEvent
from gglib.runtime.local.engine_run import LocalEngineRun
from gglib.runtime.local.error_redaction import redact_preflight_error
from gglib.runtime.local.launch import LaunchConfig
from gglib.runtime.local.version_lock import lock_version
from gglib.runtime.local.workspace import reap_orphans
from gglib.runtime.scheduler.events import Launch

logger = logging.getLogger("gglib.runtime")

Preflight = Callable[[ModelLaunchSpec], Awaitable[ModelLaunchSpec]]
"""Checks a model before another one is evicted for it, and returns its spec, possibly with newer facts about its files.
The ``marks`` of the given spec are current. Raises a ``GglibError`` for a model that cannot be loaded."""


class LocalLauncher:
    """A ``Launcher`` of llama.cpp servers. Each launch has a private directory below ``config.engines_dir``."""

    def __init__(self, config: LaunchConfig, *, preflight: Preflight | None = None) -> None:
        self._config = config
        self._preflight = preflight
        self._running: set[int] = set()
        """The generations of the launches that have not exited: their engines may compute at once."""

    def reconfigure(self, config: LaunchConfig) -> None:
        """Replace the configuration of later launches."""
        self._config = config

    async def prepare(self) -> None:
        """Kill engines that a crash left running. Call it only while holding the home directory's lock."""
        killed = await asyncio.to_thread(reap_orphans, self._config.engines_dir)
        if killed:
            logger.warning("killed %d engine process(es) left by an earlier gglib", len(killed))

    async def check(self, spec: ModelLaunchSpec) -> ModelLaunchSpec:
        """Check a model's files and engine arguments and run ``preflight``; raises a ``GglibError``."""
        config = self._config
        try:
            async with lock_version(spec, config.resolve) as locked:
                if locked.settings.engine_args:
                    await asyncio.to_thread(config.engine.check_engine_args, locked.settings.engine_args)
                return locked if self._preflight is None else await self._preflight(locked)
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
        self._running.add(launch.generation)
        config = replace(self._config, running_engines=len(self._running))
        run = LocalEngineRun(launch, name=name, config=config, on_event=on_event)

        def end(run: EngineRun) -> None:
            self._running.discard(launch.generation)
            on_exit(run)

        run.start(end)
        return run
