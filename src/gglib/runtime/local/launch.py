"""One launch: its private directory, the start, the stop and the cleanup."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace

from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import NO_FILE, ModelLaunchSpec
from gglib.runtime.engines.base import LaunchRequest, PreparedLaunch, ProcessEngine
from gglib.runtime.local.engine_log import EngineLog, engine_log_path
from gglib.runtime.local.launch_config import LaunchConfig
from gglib.runtime.local.process import EngineProcess
from gglib.runtime.local.process_engines import engine_of
from gglib.runtime.local.spawned_engine import SpawnedEngine
from gglib.runtime.local.stop import stop_engine
from gglib.runtime.local.version_lock import lock_version
from gglib.runtime.local.workspace import Workspace, open_workspace
from gglib.system import MemoryState


@asynccontextmanager
async def launch_engine(
    spec: ModelLaunchSpec, *, context: int, name: str, config: LaunchConfig
) -> AsyncIterator[SpawnedEngine]:
    """Run an engine for the length of the block; its process and private files are removed at the end.

    The model's files are locked (see ``version_lock``) from before they are checked until the process has exited.
    ``name`` is unique among the launches of this home directory. Raises ``ModelFileNotFoundError``,
    ``EngineNotFoundError``, ``ModelLoadFailedError`` or ``EngineArgumentError``.
    """
    async with lock_version(spec, config.resolve) as locked, _run(locked, context, name, config) as engine:
        yield engine


@asynccontextmanager
async def _run(
    spec: ModelLaunchSpec, context: int, name: str, config: LaunchConfig
) -> AsyncIterator[SpawnedEngine]:
    spec = _with_absolute_paths(spec)
    engine = engine_of(spec, config)
    log = EngineLog(engine_log_path(config.log_dir, spec.model_name))
    try:
        with open_workspace(config.engines_dir, name, use_unix_socket=config.use_unix_socket) as workspace:
            request = _request(spec, context, workspace, config)
            launch, memory = await asyncio.to_thread(_prepare, engine, request, config)
            process = _spawn(spec, launch, log)
            try:
                workspace.record(process.pid)
                yield SpawnedEngine(
                    process=process,
                    log=log,
                    launch=launch,
                    spec=spec,
                    context=context,
                    engine=engine,
                    config=config,
                    memory_before=memory,
                )
            finally:
                await _shielded(stop_engine(process, config.read_gpus))
    finally:
        log.close()


def _with_absolute_paths(spec: ModelLaunchSpec) -> ModelLaunchSpec:
    """Return the spec for an engine, whose working directory differs."""
    path = spec.path if spec.path == NO_FILE else spec.path.absolute()
    return replace(spec, path=path, projector=None if spec.projector is None else spec.projector.absolute())


def _request(
    spec: ModelLaunchSpec, context: int, workspace: Workspace, config: LaunchConfig
) -> LaunchRequest:
    concurrent = config.concurrent_engines
    return LaunchRequest(
        spec=spec,
        context=context,
        directory=workspace.directory,
        socket_path=workspace.socket_path,
        key=workspace.key,
        key_file=workspace.key_file,
        plan_file=workspace.plan_file,
        slot_directory=workspace.slot_directory,
        slots=config.slots,
        fit_slots=config.fit_slots,
        prompt_cache=config.prompt_cache,
        read_ram=config.read_ram,
        read_cores=config.read_cores,
        concurrent_engines=concurrent,
        running_engines=min(concurrent, config.running_engines or concurrent),
        heartbeat_s=config.heartbeat_s,
    )


def _prepare(
    engine: ProcessEngine, request: LaunchRequest, config: LaunchConfig
) -> tuple[PreparedLaunch, MemoryState | None]:
    """Return the planned launch and the memory state. Blocks: the first call may run a binary to read its options."""
    memory = None if config.memory_state is None else config.memory_state()
    return engine.prepare(request), memory


def _spawn(spec: ModelLaunchSpec, launch: PreparedLaunch, log: EngineLog) -> EngineProcess:
    try:
        return EngineProcess.spawn(launch, log, dict(spec.settings.environment))
    except OSError as error:
        raise ModelLoadFailedError(
            spec.model_name, f"the engine cannot be executed ({error.strerror})"
        ) from None


async def _shielded(cleanup: Awaitable[None]) -> None:
    """Finish a bounded cleanup even if the caller is cancelled, then propagate the cancellation."""
    task = asyncio.ensure_future(cleanup)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
