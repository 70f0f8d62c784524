"""The proxy on a socket: uvicorn, bounded in what it does at the end and silent about the rest.

It installs no signal handlers, configures no logging and chooses no event loop: those are the caller's.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gglib.core.ports import ModelCatalogPort, ModelRuntimePort
from gglib.proxy.app import ProxyApp
from gglib.proxy.errors import BadRequestError, describe
from gglib.proxy.model_objects import ModelObjects
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.upstream import UpstreamPool

KEEP_ALIVE_S = 75
"""How long an idle client connection stays; longer than clients keep theirs, so that the client closes it."""

_DATE_TICK_S = 1.0
_SETTLE_TICK_S = 0.01
_LAST_GRACE_S = 0.1
"""For what is left after connections were cut, and once more after tasks were cancelled."""


async def serve(  # noqa: PLR0913 - the port that programs embed
    listener: socket.socket,
    default_ctx: int,
    runtime: ModelRuntimePort,
    catalog: ModelCatalogPort,
    cancel: asyncio.Event,
    *,
    options: ProxyOptions = ProxyOptions(),  # noqa: B008 - frozen
) -> None:
    """Serve on ``listener``, which is bound already and is closed at the end, until ``cancel`` is set.

    ``default_ctx`` is the context, in tokens, of a request that asks for none. Returns within a second after
    ``cancel``, whatever clients do: open streams are told, requests that wait get 503. What keeps it from
    serving is raised.
    """
    pool = UpstreamPool(connect_timeout_s=options.connect_timeout_s)
    services = Services(
        runtime=runtime,
        catalog=catalog,
        pool=pool,
        model_objects=ModelObjects(default_ctx),
        default_ctx=default_ctx,
        options=options,
    )
    app = ProxyApp(services)
    server = _Server(app, cancel=cancel, grace_s=options.shutdown_grace_s)
    try:
        await server.serve(sockets=[listener])
    finally:
        listener.close()
        await pool.close()


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, without its own access log and with our shape of errors."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.access_log = False
        # The loops do this only for sockets that name their protocol, and socket.socket() does not: without it,
        # what follows an answer's head waits for the client's delayed acknowledgement (measured: 40 ms).
        sock = transport.get_extra_info("socket")
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            with contextlib.suppress(OSError):  # the client is gone already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP; never into the middle of an answer that is on its way."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or not cycle.response_started or cycle.response_complete:
            body = describe(BadRequestError(msg)).body
            self.transport.write(
                b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
        self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn's server, which ends when an event is set, and in bounded time."""

    def __init__(self, app: ProxyApp, *, cancel: asyncio.Event, grace_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http=_Protocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                workers=1,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
            )
        )
        self._app = app
        self._cancel = cancel
        self._grace_s = grace_s

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program."""
        yield

    async def main_loop(self) -> None:
        """Serve until the event is set; end everything, also when this task is cancelled."""
        try:
            while not self._cancel.is_set():
                await self.on_tick(0)  # the date header
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_DATE_TICK_S):
                        await self._cancel.wait()
        finally:
            await self._end()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nothing is left to do: the main loop has ended everything."""

    async def _end(self) -> None:
        """Tell, then cut, then cancel: each step is for what the one before did not end."""
        for listening in self.servers:
            listening.close()
        self._app.stop()
        connections, tasks = self.server_state.connections, self.server_state.tasks
        for connection in list(connections):
            connection.shutdown()
        await self._settle(self._grace_s)
        for connection in list(connections):
            connection.transport.abort()
        await self._settle(_LAST_GRACE_S)
        for task in list(tasks):
            task.cancel()
        await self._settle(_LAST_GRACE_S)

    async def _settle(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        # uvicorn keeps both sets and tells nobody when they change.
        while (self.server_state.connections or self.server_state.tasks) and loop.time() < deadline_s:  # noqa: ASYNC110
            await asyncio.sleep(_SETTLE_TICK_S)
