"""One launch, from an empty directory to a reaped process: start, ready, run, stop. It decides nothing about others."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gglib.core.defaults import HEARTBEAT_S
from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.runtime.slots import DEFAULT_SLOTS
from gglib.runtime.engines.base import Engine, FitSlots, LaunchPlan
from gglib.runtime.engines.llama_cpp.exit_reasons import explain_kill, is_kill, reason_for_exit
from gglib.runtime.engines.llama_cpp.options import launch_slots
from gglib.runtime.engines.llama_cpp.prompt_cache import prompt_cache_mib
from gglib.runtime.local.engine_log import EngineLog, engine_log_path, home_directory
from gglib.runtime.local.process import EngineProcess
from gglib.runtime.local.readiness import wait_until_healthy
from gglib.runtime.local.version_hold import Resolve, holding
from gglib.runtime.local.workspace import Workspace, open_workspace
from gglib.system import MemoryState, Ram, read_ram

SHOWN_LOG_LINES = 8
NO_PINGS = -1
_MIB = 1024 * 1024
_LISTENING = re.compile(r"listening on (?:http://)?127\.0\.0\.1:(\d+)\s*$", re.MULTILINE)
_LISTENING_POLL_S = 0.02
_SILENCE_POLLS = 6
"""How often, while a silent engine is waited for, one looks whether its log has grown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchConfig:
    """What all launches have in common."""

    engine: Engine
    engines_dir: Path
    """Where each launch makes a directory of its own; absolute, because an engine runs in another one."""
    log_dir: Path
    slots: int = DEFAULT_SLOTS
    """How many requests a model answers at a time where its own arguments do not say."""
    fit_slots: FitSlots | None = None
    """None: memory is not asked, and there are as many slots as are wanted."""
    read_ram: Callable[[], Ram] = read_ram
    """Reads the memory that bounds the engine's prompt cache; blocks for a moment."""
    heartbeat_s: float = HEARTBEAT_S
    """How often a stream without news says that it lives; 0: never."""
    use_unix_socket: bool = True
    min_start_timeout_s: float = 120.0
    min_load_bytes_s: int = 20 * _MIB
    """A slow network disk; the start timeout grows with the file's size by this measure."""
    silence_s: float = 60.0
    """A load that takes longer goes on while the engine's log does: until it was silent for so long ..."""
    max_start_timeouts: float = 5.0
    """... but for no more than so many start timeouts: an engine that prints for ever is stuck, too."""
    home: Path | None = field(default_factory=home_directory)
    """Shortened to ``~`` in what clients are shown."""
    memory_state: Callable[[], MemoryState] | None = None
    """Reads what the system says of memory, to explain a SIGKILL; blocks for a moment."""
    resolve: Resolve | None = None
    """Reads the catalogue again where the files of a launch were deleted for a newer version."""


def start_timeout_s(size_bytes: int, config: LaunchConfig) -> float:
    """Return how long a load may take, if the engine's log does not speak for it. Pure."""
    return config.min_start_timeout_s + size_bytes / config.min_load_bytes_s


def load_deadline_s(size_bytes: int, last_progress_s: float, config: LaunchConfig) -> float:
    """Return when a load is given up, in seconds since its start, given when the log last grew. Pure."""
    timeout_s = start_timeout_s(size_bytes, config)
    return min(max(timeout_s, last_progress_s + config.silence_s), timeout_s * config.max_start_timeouts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnedEngine:
    """An engine's process, which may not answer yet."""

    child: EngineProcess
    log: EngineLog
    slots: int
    """How many requests it computes at a time."""
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
        """Return why it ended, once it has. What it names has whole paths."""
        exit_code = await self.child.wait()
        memory = None
        if is_kill(exit_code) and self._config.memory_state is not None:
            after = await asyncio.to_thread(self._config.memory_state)
            memory = explain_kill(self._memory_before, after, needed_bytes=self._spec.size_bytes)
        return reason_for_exit(self.log.tail.lines, exit_code, was_ready=was_ready, memory=memory)

    @property
    def spec(self) -> ModelLaunchSpec:
        """What is launched, with the state of its files at the launch."""
        return self._spec

    async def ready(self) -> RunningTarget:
        """Return where it answers once it does. Raises ``ModelLoadFailedError`` when it exits or takes too long."""
        port = await self._ready_port()
        return _target(self._spec, self._context, self._workspace, port)

    async def _ready_port(self) -> int | None:
        """Race readiness against exit and the clock; return the port, None for a unix socket."""
        ready = asyncio.ensure_future(_unless_exited(_healthy_port(self.log, self._workspace), self.child))
        try:
            waited_s = await _wait_while_loading(ready, self._spec, self.log, self._config)
        finally:
            ready.cancel()
            await asyncio.wait([ready])
        if ready.cancelled():
            raise self._failed(f"the engine was not ready within {waited_s:.0f} s")
        port = ready.result()
        if self.child.exit_code is not None:
            raise self._failed(await self.reason_for_exit(was_ready=False))
        return port

    def _failed(self, reason: str) -> ModelLoadFailedError:
        return ModelLoadFailedError(self._spec.model_name, reason, self.last_lines)


@asynccontextmanager
async def launched(
    spec: ModelLaunchSpec, *, context: int, name: str, config: LaunchConfig
) -> AsyncIterator[SpawnedEngine]:
    """Run an engine for the length of the block; at its end the process is gone, and so is all that it left.

    The model's version is held (see ``hold``) from before its files are looked at until the process has ended. ``name``
    is unique among the launches of this home. Raises ``ModelFileNotFoundError``, ``EngineNotFoundError``,
    ``ModelLoadFailedError`` or ``EngineArgumentError``.
    """
    async with holding(spec, config.resolve) as held, _run(held, context, name, config) as engine:
        yield engine


@asynccontextmanager
async def _run(
    spec: ModelLaunchSpec, context: int, name: str, config: LaunchConfig
) -> AsyncIterator[SpawnedEngine]:
    # The engine has a working directory of its own.
    projector = None if spec.projector is None else spec.projector.absolute()
    spec = replace(spec, path=spec.path.absolute(), projector=projector)
    log = EngineLog(engine_log_path(config.log_dir, spec.model_name))
    try:
        with open_workspace(config.engines_dir, name, use_unix_socket=config.use_unix_socket) as workspace:
            slots = await asyncio.to_thread(_slots, spec, context, config)
            plan = await asyncio.to_thread(_plan, spec, context, slots, workspace, config)
            command, memory = await asyncio.to_thread(_prepare, plan, config)
            child = _spawn(spec, command, log)
            try:
                workspace.record(child.pid)
                yield SpawnedEngine(
                    child=child,
                    log=log,
                    slots=slots,
                    _spec=spec,
                    _context=context,
                    _workspace=workspace,
                    _config=config,
                    _memory_before=memory,
                )
            finally:
                await _shielded(child.stop())
    finally:
        log.close()


def _slots(spec: ModelLaunchSpec, context: int, config: LaunchConfig) -> int:
    wanted = launch_slots(spec.settings.engine_args, setting=config.slots, context=context)
    return wanted if config.fit_slots is None else config.fit_slots(spec, context, wanted)


def _plan(
    spec: ModelLaunchSpec, context: int, slots: int, workspace: Workspace, config: LaunchConfig
) -> LaunchPlan:
    """Return what is launched; blocks: the memory is read."""
    return LaunchPlan(
        spec=spec,
        context=context,
        slots=slots,
        cache_ram_mib=prompt_cache_mib(config.read_ram().total_bytes),
        ping_s=max(1, round(config.heartbeat_s)) if config.heartbeat_s else NO_PINGS,
        key_file=workspace.key_file,
        plan_file=workspace.plan_file,
        socket_path=workspace.socket_path,
    )


def _prepare(plan: LaunchPlan, config: LaunchConfig) -> tuple[list[str], MemoryState | None]:
    """Return the argv and the state of memory; blocks: the first time the binary is asked what it knows."""
    memory = None if config.memory_state is None else config.memory_state()
    return config.engine.command(plan), memory


def _spawn(spec: ModelLaunchSpec, command: list[str], log: EngineLog) -> EngineProcess:
    try:
        return EngineProcess.spawn(command, log)
    except OSError as error:
        raise ModelLoadFailedError(spec.model_name, f"the engine cannot be run ({error.strerror})") from None


async def _wait_while_loading(
    ready: asyncio.Future[int | None], spec: ModelLaunchSpec, log: EngineLog, config: LaunchConfig
) -> float:
    """Return when ``ready`` is done or the load has to be given up; the result is how long that took, in seconds."""
    loop = asyncio.get_running_loop()
    started, seen_bytes, last_progress_s, elapsed_s = loop.time(), 0, 0.0, 0.0
    while not ready.done():
        left_s = load_deadline_s(spec.size_bytes, last_progress_s, config) - elapsed_s
        if left_s <= 0:
            break
        await asyncio.wait([ready], timeout=min(left_s, config.silence_s / _SILENCE_POLLS))
        elapsed_s = loop.time() - started
        if log.received_bytes != seen_bytes:
            seen_bytes, last_progress_s = log.received_bytes, elapsed_s
    return elapsed_s


async def _healthy_port(log: EngineLog, workspace: Workspace) -> int | None:
    port = None
    if workspace.socket_path is None:
        # The port that the kernel chose is told in the log, after the load.
        while not (ports := _LISTENING.findall("\n".join(log.tail.lines))):  # noqa: ASYNC110 - a rare path
            await asyncio.sleep(_LISTENING_POLL_S)
        port = int(ports[-1])
    await wait_until_healthy(socket_path=workspace.socket_path, port=port, new_output=log.new_output)
    return port


async def _unless_exited(readiness: Awaitable[int | None], child: EngineProcess) -> int | None:
    """Wait for readiness or for the exit, whichever is first; None when it was the exit."""
    ready, exited = asyncio.ensure_future(readiness), asyncio.ensure_future(child.wait())
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
    """Finish a bounded cleanup whatever happens to the caller, then let the cancellation through."""
    task = asyncio.ensure_future(cleanup)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
