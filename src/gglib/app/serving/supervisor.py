"""Binds, starts and stops the proxy, and reports its state. The ``serve`` function is passed in."""

import asyncio
import errno
import logging
import os
import socket
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from gglib.core.addresses import reachable_url
from gglib.core.errors import AlreadyRunningError, GglibError, InvalidSettingError
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort

logger = logging.getLogger("gglib.supervisor")

BUSY_ADVICE = "choose another with --port, or --port 0 for a free one"
OLLAMA_BUSY_ADVICE = "if it is Ollama, stop it, or start gglib without --ollama-port"
_STOP_TIMEOUT_S = 5.0
_BACKLOG = 2_048


class PortInUseError(InvalidSettingError):
    """Another program listens on the port."""


class ForeignAddressError(InvalidSettingError):
    """The address to listen on is not one of this machine."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"'{host}' is not an address of this machine: set 'host' (--host) to 127.0.0.1, or to 0.0.0.0 for other "
            "machines, too."
        )


class ServeFunction(Protocol):
    """The signature of ``gglib.proxy.serve``."""

    async def __call__(
        self,
        listener: socket.socket,
        default_ctx: int,
        runtime_port: ModelRuntimePort,
        catalog_port: ModelCatalogPort,
        cancel: asyncio.Event,
        /,
    ) -> None:
        """Serve until ``cancel`` is set."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """The address of the proxy, and the default context."""

    host: str = "127.0.0.1"
    """A name or address of this machine."""
    port: int = 8080
    """A TCP port; 0: the kernel chooses a free port."""
    default_ctx: int = 8192
    """In tokens, for requests that set none."""
    scheme: str = "http"
    """Of its URL: ``https`` with TLS."""
    busy_advice: str = BUSY_ADVICE
    """What to do if the port is in use, as the end of the error message."""


class ProxyState(Enum):
    """The state of the proxy."""

    STOPPED = "stopped"
    RUNNING = "running"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyStatus:
    """A snapshot of the proxy's state."""

    state: str
    """A value of ``ProxyState``."""
    url: str | None = None
    """Its URL; None if it is not running."""
    error: str | None = None
    """Why it crashed; None if it did not."""


class ProxySupervisor:
    """Runs one proxy at a time, in the caller's event loop; it can be restarted after a stop or a crash.

    ``serve`` is ``gglib.proxy.serve``, or a ``functools.partial`` with options. A crash is logged, changes the status
    and ends ``wait``; there is no automatic restart.
    """

    def __init__(self, serve: ServeFunction) -> None:
        self._serve = serve
        self._task: asyncio.Task[None] | None = None
        self._cancel = asyncio.Event()
        self._url: str | None = None

    async def start(
        self,
        config: ProxyConfig,
        runtime: ModelRuntimePort,
        catalog: ModelCatalogPort,
        *,
        listener: socket.socket | None = None,
    ) -> str:
        """Bind, start serving, and return the URL for clients on this machine; of a unix socket ``unix:PATH``.

        With a ``listener``, which another process opened, that one is served, whatever address ``config`` has. The
        socket is listening when this returns. The caller stops ``runtime`` after the proxy. Raises
        ``AlreadyRunningError`` if the proxy is running, and ``InvalidSettingError`` if the address is not available.
        """
        if self._task is not None and not self._task.done():
            raise AlreadyRunningError(f"The proxy is already running at {self._url}.")
        listener = listener or bind(config.host, config.port, busy_advice=config.busy_advice)
        self._url = _url_of(listener, config.scheme)
        self._cancel = asyncio.Event()
        self._task = asyncio.create_task(
            self._serve(listener, config.default_ctx, runtime, catalog, self._cancel), name="proxy"
        )
        self._task.add_done_callback(_log_crash)
        return self._url

    async def stop(self) -> None:
        """Stop the proxy: open streams end with an error, within 5 s. Does nothing if the proxy is not running."""
        if self._task is None:
            return
        self._cancel.set()
        await asyncio.wait([self._task], timeout=_STOP_TIMEOUT_S)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_STOP_TIMEOUT_S)

    def status(self) -> ProxyStatus:
        """Return the state of the proxy, with its URL or the error of a crash."""
        if self._task is None:
            return ProxyStatus(state=ProxyState.STOPPED.value)
        if not self._task.done():
            return ProxyStatus(state=ProxyState.RUNNING.value, url=self._url)
        error = None if self._task.cancelled() else self._task.exception()
        if error is None and self._cancel.is_set():
            return ProxyStatus(state=ProxyState.STOPPED.value)
        return ProxyStatus(
            state=ProxyState.CRASHED.value, error=repr(error) if error else "it exited unexpectedly"
        )

    async def wait(self) -> None:
        """Wait until the proxy has ended; returns at once if it is not running. Raises ``GglibError`` if it crashed."""
        if self._task is not None:
            await asyncio.wait([self._task])
            status = self.status()
            if status.state == ProxyState.CRASHED.value:
                raise GglibError(f"The proxy crashed: {status.error}.")


def bind(host: str, port: int, *, busy_advice: str = BUSY_ADVICE) -> socket.socket:
    """Return a listening socket.

    Raises ``InvalidSettingError``, which says what to do; its subclasses ``PortInUseError`` if the port is taken, and
    ``ForeignAddressError`` if the host is not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError:
        raise ForeignAddressError(host) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise ForeignAddressError(host) from None
        error_type = PortInUseError if error.errno == errno.EADDRINUSE else InvalidSettingError
        raise error_type(_bind_error_message(error, host, port, busy_advice)) from None
    return listener


def _url_of(listener: socket.socket, scheme: str) -> str:
    address = listener.getsockname()
    if not isinstance(address, tuple):
        return f"unix:{os.fsdecode(address)}"
    return reachable_url(*address[:2], scheme=scheme)


def _bind_error_message(error: OSError, host: str, port: int, busy_advice: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} is in use by another program: {busy_advice}."
        case errno.EACCES:
            return f"Port {port} requires elevated privileges: choose one above 1023 with --port."
        case _:
            return f"Cannot listen on {host}:{port}: {error.strerror}."


def _log_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("the proxy crashed", exc_info=task.exception())
