"""Starts engines as processes of this machine."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable

from gglib.core.errors import GglibError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.launcher import EngineRun, RunEvent
from gglib.runtime.local.engine_run import LocalEngineRun
from gglib.runtime.local.error_redaction import redact_preflight_error
from gglib.runtime.local.launch import LaunchConfig
from gglib.runtime.local.version_hold import holding
from gglib.runtime.local.workspace import reap_orphans
from gglib.runtime.scheduler.events import Launch

logger = logging.getLogger("gglib.runtime")

Preflight = Callable[[ModelLaunchSpec], Awaitable[ModelLaunchSpec]]
"""Checks a model before anything is evicted for it, and returns the spec with what its files say now. ``marks`` of the
spec are those of its files at that moment. Raises a ``GglibError`` for a model that cannot load."""


class LocalLauncher:
    """A ``Launcher`` of llama.cpp's servers. Every launch has a directory of its own below ``config.engines_dir``."""

    def __init__(self, config: LaunchConfig, *, preflight: Preflight | None = None) -> None:
        self._config = config
        self._preflight = preflight

    async def prepare(self) -> None:
        """End the engines that a crash left running. Call it only while holding the home's lock."""
        ended = await asyncio.to_thread(reap_orphans, self._config.engines_dir)
        if ended:
            logger.warning("ended %d engine process(es) that an earlier gglib left behind", len(ended))

    async def check(self, spec: ModelLaunchSpec) -> ModelLaunchSpec:
        """Check the files, the engine arguments and the ``preflight`` of a model; raises a ``GglibError``."""
        config = self._config
        try:
            async with holding(spec, config.resolve) as held:
                if held.settings.engine_args:
                    await asyncio.to_thread(config.engine.check_engine_args, held.settings.engine_args)
                return held if self._preflight is None else await self._preflight(held)
        except GglibError as error:
            shown = await asyncio.to_thread(redact_preflight_error, error, spec, config)
            if shown is error:
                raise
            raise shown from error

    def start(
        self, launch: Launch, *, report: Callable[[RunEvent], None], on_exit: Callable[[EngineRun], None]
    ) -> EngineRun:
        """Start the task that runs one engine. The directory of the launch is ``PID-GENERATION``."""
        name = f"{os.getpid()}-{launch.generation}"
        run = LocalEngineRun(launch, name=name, config=self._config, report=report)
        run.begin(on_exit)
        return run
