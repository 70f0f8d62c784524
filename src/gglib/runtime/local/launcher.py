"""Starts engines as processes on this machine."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gglib.core.errors import GglibError, ModelLoadFailedError
from gglib.core.models import ModelKind, ModelLaunchSpec
from gglib.runtime.engines.base import Engine
from gglib.runtime.launcher import EngineRun, RunEvent
from gglib.runtime.local.engine_run import LocalEngineRun
from gglib.runtime.local.error_redaction import redact_preflight_error
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
        self._running.add(launch.generation)
        config = replace(self._config, running_engines=len(self._running))
        run = LocalEngineRun(launch, name=name, config=config, on_event=on_event)

        def end(run: EngineRun) -> None:
            self._running.discard(launch.generation)
            on_exit(run)

        run.start(end)
        return run


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
