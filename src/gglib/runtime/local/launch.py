"""One launch: its private directory, the start, the readiness probe, the stop and the cleanup."""

import asyncio
import os
import platform
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gglib.core.defaults import HEARTBEAT_S
from gglib.core.errors import ModelLoadFailedError, ModelOutOfMemoryError
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.runtime.slots import DEFAULT_SLOTS
from gglib.runtime.engines.base import Engine, FitSlots, LaunchPlan, PromptCacheLimit
from gglib.runtime.engines.llama_cpp.exit_reasons import (
    explain_kill,
    is_kill,
    is_out_of_memory,
    reason_for_exit,
)
from gglib.runtime.engines.llama_cpp.options import launch_slots
from gglib.runtime.engines.llama_cpp.prompt_cache import prompt_cache_mib
from gglib.runtime.engines.llama_cpp.threads import known_threads, planned_threads, wait_environment
from gglib.runtime.local.engine_log import EngineLog, engine_log_path
from gglib.runtime.local.process import EngineProcess
from gglib.runtime.local.readiness import wait_until_healthy
from gglib.runtime.local.stop import stop_engine
from gglib.runtime.local.version_lock import Resolve, lock_version
from gglib.runtime.local.workspace import Workspace, open_workspace
from gglib.system import MemoryState, Ram, read_cores, read_ram
from gglib.system.gpus import GpuState

SHOWN_LOG_LINES = 8
NO_PINGS = -1
_MIB = 1024 * 1024
_LISTENING = re.compile(r"listening on (?:http://)?127\.0\.0\.1:(\d+)\s*$", re.MULTILINE)
_LISTENING_POLL_S = 0.02
_STALL_POLLS = 6
"""Polls of the log size per ``load_stall_s``."""


def home_directory() -> Path | None:
    """Return the user's home directory, or None."""
    try:
        return Path.home()
    except RuntimeError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchConfig:
    """The common configuration of all launches."""

    engine: Engine
    engines_dir: Path
    """Parent of the launches' private directories; absolute, because an engine's working directory differs."""
    log_dir: Path
    slots: int = DEFAULT_SLOTS
    """How many requests a model processes at a time, unless its own engine arguments set it."""
    fit_slots: FitSlots | None = None
    """Reduces the wanted slots to those that fit into memory; None: always as many as wanted."""
    read_ram: Callable[[], Ram] = read_ram
    """Reads the memory size, which limits the engine's prompt cache; blocks for a moment."""
    prompt_cache: PromptCacheLimit | None = None
    """Limits the engine's prompt cache where several models share the memory; None: by ``read_ram``."""
    read_gpus: Callable[[], Sequence[GpuState]] | None = None
    """Reads the GPUs, to wait until a stopped engine's memory is free there; blocks for a moment. None: no wait."""
    read_cores: Callable[[], int | None] = read_cores
    """Reads how many processor cores the engines may use, None if unknown; blocks for a moment."""
    concurrent_engines: int = 1
    """How many engines may compute at once: how long their threads spin depends on it, and how many there are."""
    running_engines: int | None = None
    """How many engines run at this launch, this one included; None: ``concurrent_engines``."""
    heartbeat_s: float = HEARTBEAT_S
    """Interval of the pings in an idle stream; 0: none."""
    use_unix_socket: bool = True
    min_start_timeout_s: float = 120.0
    min_load_bytes_s: int = 20 * _MIB
    """Throughput of a slow network disk; the start timeout grows with the file's size accordingly."""
    load_stall_s: float = 60.0
    """A load that exceeds its start timeout is only stopped once the engine has logged nothing for this time."""
    load_limit_factor: float = 5.0
    """Upper limit of a load, as a multiple of its start timeout: an engine that logs for ever may be stuck too."""
    home: Path | None = field(default_factory=home_directory)
    """Shortened to ``~`` in errors for clients."""
    memory_state: Callable[[], MemoryState] | None = None
    """Reads the system's memory state, to explain a SIGKILL; blocks for a moment."""
    resolve: Resolve | None = None
    """Resolves a model again if its files were deleted for a newer version."""


def start_timeout_s(size_bytes: int, config: LaunchConfig) -> float:
    """Return the start timeout: how long a load may take even if the engine logs nothing. Pure."""
    return config.min_start_timeout_s + size_bytes / config.min_load_bytes_s


def load_deadline_s(size_bytes: int, last_progress_s: float, config: LaunchConfig) -> float:
    """Return when a load times out, in seconds since its start, given when the log last grew. Pure."""
    timeout_s = start_timeout_s(size_bytes, config)
    return min(max(timeout_s, last_progress_s + config.load_stall_s), timeout_s * config.load_limit_factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnedEngine:
    """An engine process, possibly not ready yet."""

    process: EngineProcess
    log: EngineLog
    slots: int
    """How many requests it processes at a time."""
    prompt_cache_mib: int
    """The limit of its prompt cache, unless the model's arguments set it."""
    threads: int | None
    """How many threads compute; None: the engine's default."""
    _spec: ModelLaunchSpec
    _context: int
    _workspace: Workspace
    _config: LaunchConfig
    _memory_before: MemoryState | None = None

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines of its log."""
        return self.log.tail.lines[-SHOWN_LOG_LINES:]

    async def reason_for_exit(self, *, was_ready: bool) -> str:
        """Wait for the exit and return its reason, with unredacted paths."""
        exit_code = await self.process.wait()
        memory = None
        if is_kill(exit_code) and self._config.memory_state is not None:
            after = await asyncio.to_thread(self._config.memory_state)
            memory = explain_kill(self._memory_before, after, needed_bytes=self._spec.size_bytes)
        return reason_for_exit(self.log.tail.lines, exit_code, was_ready=was_ready, memory=memory)

    @property
    def spec(self) -> ModelLaunchSpec:
        """The launched spec, with its files' marks at the launch."""
        return self._spec

    async def wait_until_ready(self) -> RunningTarget:
        """Wait until it is ready and return its address. Raises ``ModelLoadFailedError`` if it exits or times out."""
        port = await self._ready_port()
        return _target(self._spec, self._context, self._workspace, port)

    async def _ready_port(self) -> int | None:
        """Race readiness against the exit and the timeout; return the port, None for a unix socket."""
        ready = asyncio.ensure_future(
            _unless_exited(_port_when_healthy(self.log, self._workspace), self.process)
        )
        try:
            waited_s = await _wait_while_loading(ready, self._spec, self.log, self._config)
        finally:
            ready.cancel()
            await asyncio.wait([ready])
        if ready.cancelled():
            raise self._failed(f"the engine was not ready within {waited_s:.0f} s")
        port = ready.result()
        if self.process.exit_code is not None:
            raise self._failed(await self.reason_for_exit(was_ready=False))
        return port

    def _failed(self, reason: str) -> ModelLoadFailedError:
        error = ModelOutOfMemoryError if is_out_of_memory(reason) else ModelLoadFailedError
        return error(self._spec.model_name, reason, self.last_lines)


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
    # Absolute paths: the engine's working directory differs.
    projector = None if spec.projector is None else spec.projector.absolute()
    spec = replace(spec, path=spec.path.absolute(), projector=projector)
    log = EngineLog(engine_log_path(config.log_dir, spec.model_name))
    try:
        with open_workspace(config.engines_dir, name, use_unix_socket=config.use_unix_socket) as workspace:
            slots = await asyncio.to_thread(_slots, spec, context, config)
            plan = await asyncio.to_thread(_plan, spec, context, slots, workspace, config)
            command, memory = await asyncio.to_thread(_prepare, plan, config)
            process = _spawn(plan, command, log)
            try:
                workspace.record(process.pid)
                yield SpawnedEngine(
                    process=process,
                    log=log,
                    slots=slots,
                    prompt_cache_mib=plan.cache_ram_mib,
                    threads=known_threads(spec.settings.engine_args, plan.threads),
                    _spec=spec,
                    _context=context,
                    _workspace=workspace,
                    _config=config,
                    _memory_before=memory,
                )
            finally:
                await _shielded(stop_engine(process, config.read_gpus))
    finally:
        log.close()


def _slots(spec: ModelLaunchSpec, context: int, config: LaunchConfig) -> int:
    wanted = launch_slots(spec.settings.engine_args, setting=config.slots, context=context)
    return wanted if config.fit_slots is None else config.fit_slots(spec, context, wanted)


def _plan(
    spec: ModelLaunchSpec, context: int, slots: int, workspace: Workspace, config: LaunchConfig
) -> LaunchPlan:
    """Return the launch plan; blocks: reads the sizes of this machine."""
    return LaunchPlan(
        spec=spec,
        context=context,
        slots=slots,
        cache_ram_mib=_prompt_cache_mib(spec, context, slots, config),
        ping_s=max(1, round(config.heartbeat_s)) if config.heartbeat_s else NO_PINGS,
        key_file=workspace.key_file,
        plan_file=workspace.plan_file,
        socket_path=workspace.socket_path,
        threads=planned_threads(
            spec.settings.engine_args,
            cores=config.read_cores(),
            engines=min(config.concurrent_engines, config.running_engines or config.concurrent_engines),
        ),
        environment=wait_environment(os.environ, platform.machine(), engines=config.concurrent_engines),
    )


def _prompt_cache_mib(spec: ModelLaunchSpec, context: int, slots: int, config: LaunchConfig) -> int:
    if config.prompt_cache is not None:
        return config.prompt_cache(spec, context, slots)
    return prompt_cache_mib(config.read_ram().total_bytes)


def _prepare(plan: LaunchPlan, config: LaunchConfig) -> tuple[list[str], MemoryState | None]:
    """Return the argv and the memory state. Blocks: the first call runs the binary to read its options."""
    memory = None if config.memory_state is None else config.memory_state()
    return config.engine.command(plan), memory


def _spawn(plan: LaunchPlan, command: list[str], log: EngineLog) -> EngineProcess:
    try:
        return EngineProcess.spawn(command, log, plan.environment)
    except OSError as error:
        raise ModelLoadFailedError(
            plan.spec.model_name, f"the engine cannot be executed ({error.strerror})"
        ) from None


async def _wait_while_loading(
    ready: asyncio.Future[int | None], spec: ModelLaunchSpec, log: EngineLog, config: LaunchConfig
) -> float:
    """Wait for ``ready`` or the load's timeout; return the elapsed seconds."""
    loop = asyncio.get_running_loop()
    started, seen_bytes, last_progress_s, elapsed_s = loop.time(), 0, 0.0, 0.0
    while not ready.done():
        left_s = load_deadline_s(spec.size_bytes, last_progress_s, config) - elapsed_s
        if left_s <= 0:
            break
        await asyncio.wait([ready], timeout=min(left_s, config.load_stall_s / _STALL_POLLS))
        elapsed_s = loop.time() - started
        if log.received_bytes != seen_bytes:
            seen_bytes, last_progress_s = log.received_bytes, elapsed_s
    return elapsed_s


async def _port_when_healthy(log: EngineLog, workspace: Workspace) -> int | None:
    port = None
    if workspace.socket_path is None:
        # The engine logs the port that the kernel chose after the load.
        while not (ports := _LISTENING.findall("\n".join(log.tail.lines))):  # noqa: ASYNC110 - a rare path
            await asyncio.sleep(_LISTENING_POLL_S)
        port = int(ports[-1])
    await wait_until_healthy(socket_path=workspace.socket_path, port=port, new_output=log.new_output)
    return port


async def _unless_exited(readiness: Awaitable[int | None], process: EngineProcess) -> int | None:
    """Wait for readiness or the exit; None if the process exited first."""
    ready, exited = asyncio.ensure_future(readiness), asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait([ready, exited], return_when=asyncio.FIRST_COMPLETED)
        return ready.result() if ready.done() else None
    finally:
        ready.cancel()
        exited.cancel()
        await asyncio.wait([ready, exited])


def _target(spec: ModelLaunchSpec, context: int, workspace: Workspace, port: int | None) -> RunningTarget:
    return RunningTarget(
        base_url="http://localhost" if port is None else f"http://127.0.0.1:{port}",
        model_id=spec.model_id,
        model_name=spec.model_name,
        effective_ctx=context,
        unix_socket=str(workspace.socket_path) if workspace.socket_path else None,
        bearer_key=workspace.key,
    )


async def _shielded(cleanup: Awaitable[None]) -> None:
    """Finish a bounded cleanup even if the caller is cancelled, then propagate the cancellation."""
    task = asyncio.ensure_future(cleanup)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
