"""Describes and checks this machine, for the HTTP API. Everything that blocks runs in worker threads."""

import asyncio
import os
import platform
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from types import TracebackType
from typing import Self

from gglib.app.doctor import CheckResult, run_checks
from gglib.app.doctor_checks import doctor_checks
from gglib.app.memory.fitting import engine_memory
from gglib.app.memory.gpu_use import read_gpu_use
from gglib.app.settings import Settings
from gglib.core.errors import EngineNotFoundError
from gglib.core.plain_text import escape_block
from gglib.core.ports.store import HomeStorePort
from gglib.core.ports.system import DiskSpace, EngineFacts, MachineCheck, Processors, SystemFacts, SystemPort
from gglib.core.version import __version__
from gglib.runtime.engines import Engine
from gglib.system import read_cores, read_processor_name


class SystemReader(SystemPort):
    """The machine of a server that runs since this object was made; used in an ``async with`` block."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        url: Callable[[], str],
        engine: Engine,
        store: HomeStorePort,
    ) -> None:
        """Take functions that return the settings in use, and the URL for clients on this machine."""
        self._settings = settings
        self._url = url
        self._engine = engine
        self._store = store
        self._started_at = int(time.time())
        self._started_s = time.monotonic()
        self._checking: asyncio.Task[list[CheckResult]] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel a run of the checks, and wait for its end."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)

    async def system(self) -> SystemFacts:
        """Return the facts now."""
        return await asyncio.to_thread(self._read)

    async def check(self) -> tuple[MachineCheck, ...]:
        """Run all checks; callers at the same time share one run, which a leaving one does not end."""
        if self._checking is None or self._checking.done():
            # The catalogue is open already: a second opening of the same files in one process would share their locks.
            checks = doctor_checks(self._settings(), lambda: nullcontext(self._store))
            self._checking = asyncio.create_task(run_checks(checks))
        results = await asyncio.shield(self._checking)
        return tuple(
            MachineCheck(name=found.name, verdict=found.verdict.value, message=escape_block(found.detail))
            for found in results
        )

    def _read(self) -> SystemFacts:
        settings = self._settings()
        space = shutil.disk_usage(settings.home)
        count = os.cpu_count() or 1
        return SystemFacts(
            version=__version__,
            python=platform.python_version(),
            platform=platform.platform(),
            started_at=self._started_at,
            uptime_s=time.monotonic() - self._started_s,
            home=str(settings.home),
            processors=Processors(name=read_processor_name(), count=count, usable=read_cores() or count),
            memory=engine_memory(self._engine),
            disk=DiskSpace(path=str(settings.home), total_bytes=space.total, free_bytes=space.free),
            engine=_engine_facts(self._engine),
            url=self._url(),
            keys_required=bool(settings.api_keys),
        )


def _engine_facts(engine: Engine) -> EngineFacts:
    """Return the facts of an engine; asks its program once for each version of its file, which takes seconds."""
    version, use = None, read_gpu_use(engine)
    with suppress(EngineNotFoundError):  # it was removed while the server runs
        version = engine.version
    return EngineFacts(
        name=engine.kind,
        path=None if engine.path is None else str(engine.path),
        version=version,
        devices=use.devices if use.gpus else (),  # without a GPU the engine is not asked
    )
