"""The cable to a server of a test: cut or frozen, as a machine that dies or a network that loses everything."""

import asyncio
import contextlib
import socket
from types import TracebackType
from typing import Self

_READ_BYTES = 65_536


class Cable:
    """Forwards connections from a port of its own, which stays the same, to the port of a server."""

    def __init__(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.port: int = unused.getsockname()[1]
        self.to_port = 0
        """The port of the server."""
        self.delay_s = 0.0
        """How long each part of a response is held back."""
        self._passes = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cut()

    async def plug_in(self, to_port: int) -> None:
        """Connect a server."""
        self.to_port = to_port
        self._passes.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Reset all connections and refuse new ones: the process is gone."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def freeze(self) -> None:
        """Accept connections and pass nothing: the machine is gone, or the network between."""
        self._passes.clear()

    def thaw(self) -> None:
        """Pass everything again, also what was held back."""
        self._passes.set()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        there: asyncio.StreamWriter | None = None
        try:
            await self._passes.wait()
            from_server, there = await asyncio.open_connection("127.0.0.1", self.to_port)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, there, 0))
                group.create_task(self._pump(from_server, writer, self.delay_s))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            for end in (writer, there):
                if end is not None:
                    end.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay_s: float) -> None:
        while part := await source.read(_READ_BYTES):
            await asyncio.sleep(delay_s)
            await self._passes.wait()
            sink.write(part)
            await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof()
