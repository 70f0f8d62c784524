"""Checks whether the ports of a server are free, and says which program has a busy one and what to do."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from gglib.app.serving.supervisor import OLLAMA_BUSY_ADVICE, ForeignAddressError, PortInUseError, bind
from gglib.app.settings import Settings
from gglib.core.addresses import reachable_url
from gglib.core.errors import InvalidSettingError
from gglib.core.shell_quoting import quoted_command
from gglib.http.client.connect import ServerAddress
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.http.errors import ConnectError, TooManyConnectionsError, TransportError
from gglib.system.ports import ListeningProcess, listening_process

PROBE_TIMEOUT_S = 1.0
"""A program that listens and says nothing must not delay the error."""
_BODY_BYTES = 64
_NEARBY_PORTS = 20


class Program(Enum):
    """A server that is recognized by its response to ``GET /``."""

    GGLIB = "another gglib"
    OLLAMA = "Ollama"
    LLAMA_SERVER = "llama-server"


@dataclass(frozen=True, slots=True)
class PortHolder:
    """What is known about the program that listens on a port."""

    program: Program | None = None
    process: ListeningProcess | None = None

    @property
    def text(self) -> str:
        """The program in words, with its process id if it is known."""
        if self.process is None:
            return "another program" if self.program is None else self.program.value
        return f"{self.program.value if self.program else self.process.name} (pid {self.process.pid})"


def recognize(headers: dict[bytes, bytes], body: bytes) -> Program | None:
    """Return the program that sent a response to ``GET /``, without an ``Accept`` header. Pure.

    gglib responds as Ollama does, with an ``x-request-id`` in addition. llama-server names itself in ``Server``
    (tools/server/server-http.cpp).
    """
    if headers.get(b"server", b"").lower().startswith(b"llama.cpp"):
        return Program.LLAMA_SERVER
    if b"x-request-id" in headers and b"This port serves HTTPS" in body:
        return Program.GGLIB
    if not body.startswith(b"Ollama is running"):
        return None
    return Program.GGLIB if b"x-request-id" in headers else Program.OLLAMA


def busy_text(port: int, holder: PortHolder, *, command: str, free_port: int | None) -> str:
    """Return the error for a busy port: who has it, and a command with a free one. Pure."""
    home = ", for another home" if holder.program is Program.GGLIB else ""
    other = quoted_command(command, "--port", str(free_port or 0))
    if holder.process is not None and holder.process.name == "systemd":
        return (
            f"Port {port} is kept open by systemd for a service: 'gglib service start' starts that of gglib, or "
            f"{other} uses a free port."
        )
    return f"Port {port} is in use by {holder.text}{home}: {other} uses a free one."


def busy_ollama_text(port: int, holder: PortHolder) -> str:
    """Return the error for a busy port of the setting ``ollama_port``. Pure."""
    advice = "stop it, or start gglib without --ollama-port" if holder.program else OLLAMA_BUSY_ADVICE
    return f"Port {port} is in use by {holder.text}: {advice}."


def foreign_address_text(host: str, command: str) -> str:
    """Return the error for an address of another machine in ``GGLIB_HOST``, as clients of that machine set it. Pure."""
    here = quoted_command(command, "--host", "127.0.0.1")
    return f"GGLIB_HOST is '{host}', which is not an address of this machine, to listen on: {here} starts gglib here."


def require_free_ports(
    settings: Settings, command: str, *, has_main: bool = False, has_ollama: bool = False
) -> None:
    """Raise ``InvalidSettingError`` if ``gglib COMMAND`` cannot listen on its ports; blocks for up to 3 s then.

    ``has_main`` and ``has_ollama``: the port is another process's, which passed a socket that listens there.
    """
    asyncio.run(check_ports(settings, command, has_main=has_main, has_ollama=has_ollama))


async def check_ports(
    settings: Settings, command: str, *, has_main: bool = False, has_ollama: bool = False
) -> None:
    """Like ``require_free_ports``, without blocking the event loop."""
    try:
        if not has_main:
            await check_port(settings.host, settings.port, command)
    except ForeignAddressError as error:
        if settings.sources.get("host", ())[:1] == ("GGLIB_HOST",):
            raise InvalidSettingError(foreign_address_text(settings.host, command)) from error
        raise
    if settings.ollama_port is not None and not has_ollama:
        await check_ollama_port(settings.host, settings.ollama_port)


async def check_port(host: str, port: int, command: str) -> None:
    """Raise ``InvalidSettingError`` if ``gglib COMMAND`` cannot listen on its port."""
    try:
        bind(host, port).close()
    except PortInUseError as error:
        holder = await find_holder(host, port)
        free_port = _free_port_after(host, port)
        raise InvalidSettingError(busy_text(port, holder, command=command, free_port=free_port)) from error


async def check_ollama_port(host: str, port: int) -> None:
    """Raise ``InvalidSettingError`` if gglib cannot listen on the second port."""
    try:
        bind(host, port).close()
    except PortInUseError as error:
        raise InvalidSettingError(busy_ollama_text(port, await find_holder(host, port))) from error


async def find_holder(host: str, port: int) -> PortHolder:
    """Return what is known about the program that listens on a port. Never raises."""
    program, process = await asyncio.gather(
        _probe(reachable_url(host, port)), asyncio.to_thread(listening_process, port)
    )
    return PortHolder(program, process)


async def _probe(url: str) -> Program | None:
    request = OneShotRequest(b"GET", b"/")
    with suppress(TimeoutError, ConnectError, TransportError, TooManyConnectionsError):
        async with (
            asyncio.timeout(PROBE_TIMEOUT_S),
            request_once(ServerAddress(url), request, connect_timeout_s=PROBE_TIMEOUT_S) as connection,
        ):
            return recognize(dict(connection.head.headers), (await anext(connection, b""))[:_BODY_BYTES])
    return None


def _free_port_after(host: str, port: int) -> int | None:
    for candidate in range(port + 1, min(port + _NEARBY_PORTS, 65_535) + 1):
        with suppress(InvalidSettingError):
            bind(host, candidate).close()
            return candidate
    return None
