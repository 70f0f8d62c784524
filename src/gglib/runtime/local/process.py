"""One engine process: spawns it, reads its output, stops and reaps it. Independent of models.

Spawned from the loop's thread, because Linux's parent-death signal depends on the spawning thread. Uses ``subprocess``
instead of asyncio's transport, whose ``wait`` may last until the last grandchild has closed the pipes.
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress

from gglib.runtime.engines.base import PreparedLaunch, StopEscalation
from gglib.runtime.environment import child_environment
from gglib.runtime.local import guard
from gglib.runtime.local.engine_log import EngineLog
from gglib.runtime.local.os_processes import kill_descendants, signal_group

logger = logging.getLogger("gglib.runtime")

_READ_BYTES = 65_536
_PRIVATE_UMASK = 0o077
_DRAIN_READS = 64
"""Limit of the reads after the exit: a pipe buffers little, but grandchildren may write to it for ever."""


class EngineProcess:
    """An engine process in its own session and process group."""

    def __init__(
        self, process: subprocess.Popen[bytes], log: EngineLog, stop_escalation: StopEscalation
    ) -> None:
        self._process = process
        self._log = log
        self._stop_escalation = stop_escalation
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[int] = self._loop.create_future()
        self._pipe = process.stderr or process.stdout
        self._watch()

    @classmethod
    def spawn(
        cls, launch: PreparedLaunch, log: EngineLog, environment: Mapping[str, str] | None = None
    ) -> "EngineProcess":
        """Start a launch's command, which is killed when this process dies. Raises ``OSError``.

        ``environment`` is added to that of the launch.
        """
        mode = [guard.TREE] if launch.starts_processes else []
        # -I -S: the guard needs only the standard library and must start quickly.
        guarded = [sys.executable, "-I", "-S", guard.__file__, *mode, str(os.getpid()), *launch.argv]
        launch.before_spawn()
        process = subprocess.Popen(
            guarded,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if launch.logs_stdout else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if launch.logs_stdout else subprocess.PIPE,
            start_new_session=True,
            env=child_environment(os.environ, dropped=launch.dropped_variables)
            | dict(launch.environment)
            | dict(environment or {}),
            cwd=launch.directory,
            umask=_PRIVATE_UMASK if launch.has_private_files else -1,
        )
        return cls(process, log, launch.stop_escalation)

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; the negative signal number if a signal ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Return the exit code once the process has exited and its remaining output is logged."""
        return await asyncio.shield(self._exited)

    async def stop(self) -> None:
        """Stop the process and its children. Bounded by its ``StopEscalation``; does nothing after the exit."""
        for signal_number, timeout_s in self._stop_escalation:
            if self._exited.done():
                break
            if signal_number == signal.SIGKILL:
                kill_descendants(self.pid)  # the group lacks those in sessions of their own
            signal_group(self.pid, signal_number)
            await asyncio.wait([self._exited], timeout=timeout_s)
        if not self._exited.done():
            logger.error("process %d did not exit after SIGKILL; it hangs in the kernel", self.pid)
        self._close_pipe()

    # --- output and exit ---

    def _watch(self) -> None:
        assert self._pipe is not None  # noqa: S101 - one of the outputs is a pipe
        os.set_blocking(self._pipe.fileno(), False)
        self._loop.add_reader(self._pipe.fileno(), self._read)
        try:
            # Reaped in the loop: no other thread can free the pid while it is being signalled.
            pidfd = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):  # not Linux, or forbidden by a sandbox
            threading.Thread(target=self._wait_in_thread, daemon=True).start()
        else:
            self._loop.add_reader(pidfd, self._reap, pidfd)

    def _read(self) -> bool:
        """Read available output into the log; False if there is none."""
        if self._pipe is None:
            return False
        try:
            data = os.read(self._pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._log.feed(data)
        else:
            self._close_pipe()
        return bool(data)

    def _reap(self, pidfd: int) -> None:
        self._loop.remove_reader(pidfd)
        os.close(pidfd)
        # Kill what the engine forked. The group id is only reserved until the engine is reaped.
        signal_group(self.pid, signal.SIGKILL)
        self._process.wait()
        self._on_exit()

    def _wait_in_thread(self) -> None:
        # WNOWAIT: the zombie reserves its pid, and so the group id, until its children are killed.
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        signal_group(self.pid, signal.SIGKILL)
        self._process.wait()
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._on_exit)

    def _on_exit(self) -> None:
        for _ in range(_DRAIN_READS):
            if not self._read():
                break
        if not self._exited.done():
            self._exited.set_result(self._process.returncode)

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()
            self._pipe = None
