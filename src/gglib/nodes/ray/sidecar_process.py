"""Runs the sidecar, and starts it again when it ends."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from gglib.http.tasks import run_until_first_ends
from gglib.nodes.ray.environment import driver_environment
from gglib.nodes.ray.messages import MAX_LINE_BYTES, Message, Trouble, UnreadableMessageError, from_line
from gglib.nodes.ray.restarts import Restarts
from gglib.nodes.ray.versions import start_failure

logger = logging.getLogger("gglib.nodes")

CONNECT_S = 60.0
"""How long a sidecar may take until it connects to its socket: Python and Ray are loaded."""
CLUSTER_S = 30.0
"""How long it may take until it knows the cluster; then another one is started."""
SIDECAR = "gglib.nodes.ray.sidecar"

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True, kw_only=True)
class RayCluster:
    """A cluster, and how this machine uses it."""

    address: str
    """HOST:PORT of its head."""
    token_file: Path
    node_ip: str | None = None
    """The address by which this machine takes part; None: the one that Ray finds."""


class SidecarProcess:
    """Keeps a sidecar running until ``run`` is cancelled, and passes on what it says."""

    def __init__(
        self,
        cluster: RayCluster,
        on_message: Callable[[Message], None],
        *,
        module: str = SIDECAR,
    ) -> None:
        self._cluster = cluster
        self._on_message = on_message
        self._module = module
        self._restarts = Restarts()
        self._has_spoken = False
        self.pid: int | None = None
        """The process id of the sidecar; None if none runs."""

    async def run(self) -> None:
        """Keep a sidecar running. Cancelled, it leaves no process."""
        while True:
            self._restarts.started(monotonic())
            try:
                reason = await self._run_once()
            except OSError as error:
                reason = (
                    f"The process that follows the cluster cannot be started ({error.strerror or error})."
                )
            self._on_message(Trouble(reason=reason))
            await asyncio.sleep(max(0.0, self._restarts.next_s - monotonic()))

    async def _run_once(self) -> str:
        """Run one sidecar until it ends; returns why, as a sentence."""
        self._has_spoken = False
        with tempfile.TemporaryDirectory(prefix="gglib-") as directory, tempfile.TemporaryFile() as output:
            path = str(Path(directory) / "front")  # the directory is private
            connections: list[Connection] = []
            connected = asyncio.Event()

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                connections.append((reader, writer))
                connected.set()

            server = await asyncio.start_unix_server(accept, path, limit=MAX_LINE_BYTES)
            async with server, self._process(path, output.fileno()) as process:
                with contextlib.suppress(TimeoutError):
                    await self._follow(process, connections, connected)
            output.seek(0)
            return self._reason(output.read().decode(errors="replace"))

    @contextlib.asynccontextmanager
    async def _process(self, path: str, output: int) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run the process during the block, and kill all of its session at the end."""
        cluster = self._cluster
        node_ip = () if cluster.node_ip is None else (cluster.node_ip,)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self._module, path, cluster.address, *node_ip),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=driver_environment(os.environ, cluster.token_file),
            start_new_session=True,
        )
        self.pid = process.pid
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
            self.pid = None

    async def _follow(
        self,
        process: asyncio.subprocess.Process,
        connections: Sequence[Connection],
        connected: asyncio.Event,
    ) -> None:
        """Pass on the lines of a sidecar until its end. Raises ``TimeoutError`` for one that finds no cluster."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_S) as limit:
            await run_until_first_ends(connected.wait(), process.wait())
            if not connections:
                return
            reader, writer = connections[0]
            limit.reschedule(loop.time() + CLUSTER_S)
            try:
                while line := await _next_line(reader):
                    self._receive(line)
                    if self._has_spoken:
                        limit.reschedule(None)
            finally:
                writer.close()

    def _receive(self, line: bytes) -> None:
        try:
            message = from_line(line)
        except UnreadableMessageError as error:
            logger.warning("the sidecar of the cluster sent a line that cannot be read: %s", error)
            return
        if not isinstance(message, Trouble):
            self._has_spoken = True
            self._restarts.running(monotonic())
        self._on_message(message)

    def _reason(self, output: str) -> str:
        """Return why a sidecar ended."""
        for line in output.splitlines()[-20:]:
            logger.debug("sidecar: %s", line)
        found = start_failure(output, self._cluster.address, 0)
        if found is not None:
            return found
        if "No module named 'ray'" in output:
            return "Ray is not installed."
        return f"The connection to the cluster at {self._cluster.address} was lost."


async def _next_line(reader: asyncio.StreamReader) -> bytes:
    """Return the next line; empty at the end, or for one that is too long."""
    try:
        return await reader.readline()
    except (ValueError, OSError):
        return b""
