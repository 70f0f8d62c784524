"""An engine process of one launch: waits until it is ready, and explains its exit."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from gglib.core.errors import ModelLoadFailedError, ModelOutOfMemoryError
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.shell_quoting import quoted_command
from gglib.runtime.engines.base import PreparedLaunch, ProcessEngine
from gglib.runtime.engines.exits import explain_kill, is_kill, is_out_of_memory
from gglib.runtime.local.engine_log import EngineLog
from gglib.runtime.local.launch_config import LaunchConfig, load_deadline_s
from gglib.runtime.local.process import EngineProcess
from gglib.runtime.local.ready_address import ReadyAddress, wait_until_ready
from gglib.system import MemoryState

SHOWN_LOG_LINES = 8
_STALL_POLLS = 6
"""Polls of the log size per ``load_stall_s``."""


class PortTakenError(ModelLoadFailedError):
    """The port that was chosen for the launch was taken by another program; another port may be free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnedEngine:
    """An engine process, possibly not ready yet."""

    process: EngineProcess
    log: EngineLog
    launch: PreparedLaunch
    spec: ModelLaunchSpec
    """The launched spec, with its files' marks at the launch."""
    context: int
    engine: ProcessEngine
    config: LaunchConfig
    memory_before: MemoryState | None = None

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines of its log."""
        return self.log.tail.lines[-SHOWN_LOG_LINES:]

    async def reason_for_exit(self, *, was_ready: bool) -> str:
        """Wait for the exit and return its reason, with unredacted paths."""
        exit_code = await self.process.wait()
        memory = None
        if is_kill(exit_code) and self.config.memory_state is not None:
            after = await asyncio.to_thread(self.config.memory_state)
            memory = explain_kill(self.memory_before, after, needed_bytes=self.spec.size_bytes)
        return self.engine.reason_for_exit(self.log.tail.lines, exit_code, was_ready=was_ready, memory=memory)

    async def wait_until_ready(self) -> RunningTarget:
        """Wait until it is ready and return its address. Raises ``ModelLoadFailedError`` if it exits or times out.

        The error is a ``PortTakenError`` if another program has taken the port of this launch.
        """
        address = ReadyAddress(self.launch.ready, self.log, self.process.pid)
        ready = asyncio.ensure_future(_unless_exited(wait_until_ready(address), self.process))
        try:
            waited_s = await self._wait_while_loading(ready)
        finally:
            ready.cancel()
            await asyncio.wait([ready])
        if ready.cancelled():
            raise self._failed(
                f"the engine was not ready within {waited_s:.0f} s: {address.why_not_ready()}; "
                f"{quoted_command('logs', self.spec.model_name)} shows its log"
            )
        if self.process.exit_code is not None:
            reason = await self.reason_for_exit(was_ready=False)
            if self.launch.ready.port is not None and address.is_port_taken():
                raise PortTakenError(self.spec.model_name, reason, self.last_lines)
            raise self._failed(reason)
        return self._target(ready.result())

    def _failed(self, reason: str) -> ModelLoadFailedError:
        error = ModelOutOfMemoryError if is_out_of_memory(reason) else ModelLoadFailedError
        return error(self.spec.model_name, reason, self.last_lines)

    def _target(self, port: int | None) -> RunningTarget:
        socket_path = self.launch.ready.socket_path
        return RunningTarget(
            base_url="http://localhost" if port is None else f"http://127.0.0.1:{port}",
            model_id=self.spec.model_id,
            model_name=self.spec.model_name,
            effective_ctx=self.context,
            unix_socket=None if socket_path is None else str(socket_path),
            bearer_key=self.launch.bearer_key,
            served_name=self.launch.served_name,
            slots=None if self.launch.slot_directory is None else self.launch.slots,
        )

    async def _wait_while_loading(self, ready: asyncio.Future[int | None]) -> float:
        """Wait for ``ready`` or the load's timeout; return the elapsed seconds."""
        loop = asyncio.get_running_loop()
        started, seen_bytes, last_progress_s, elapsed_s = loop.time(), 0, 0.0, 0.0
        while not ready.done():
            left_s = self._deadline_s(last_progress_s) - elapsed_s
            if left_s <= 0:
                break
            await asyncio.wait([ready], timeout=min(left_s, self.config.load_stall_s / _STALL_POLLS))
            elapsed_s = loop.time() - started
            if self.log.received_bytes != seen_bytes:
                seen_bytes, last_progress_s = self.log.received_bytes, elapsed_s
        return elapsed_s

    def _deadline_s(self, last_progress_s: float) -> float:
        if self.launch.start_timeout_s is not None:
            return self.launch.start_timeout_s
        return load_deadline_s(self.spec.size_bytes, last_progress_s, self.config)


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
