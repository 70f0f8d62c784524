"""Where a launched process listens: its socket or port, and whether the listener is the process itself."""

import asyncio
import logging
import os
import re
from dataclasses import dataclass, field

from gglib.http.client.connect import ServerAddress
from gglib.runtime.engines.base import ReadyCheck
from gglib.runtime.local.engine_log import EngineLog
from gglib.runtime.local.os_processes import descendants
from gglib.runtime.local.readiness import wait_until_healthy
from gglib.system.listeners import Listener, owns_socket, read_listeners

logger = logging.getLogger("gglib.runtime")

_LISTENING_POLL_S = 0.02
_OWNER_POLL_S = 0.2
_LOGGED_POLL_S = 0.5
_TAKEN = re.compile(r"address already in use|EADDRINUSE|port \S+ is (?:already )?in use", re.IGNORECASE)
_ROOT = 0


@dataclass(slots=True)
class ReadyAddress:
    """The readiness of one launch, and what was seen of it."""

    check: ReadyCheck
    log: EngineLog
    pid: int
    is_foreign: bool = field(default=False, init=False)
    """Whether another program listened on the port at the last look."""

    def is_port_taken(self) -> bool:
        """Whether another program has the port: it listens there, or the log says so."""
        return self.is_foreign or any(map(_TAKEN.search, self.log.tail.lines))

    def why_not_ready(self) -> str:
        """Return the reason why the process is not ready, as a phrase."""
        if self.is_foreign:
            return f"another program listens on its port {self.check.port}"
        return f"GET {self.check.health_path} did not return 200"


async def wait_until_ready(address: ReadyAddress) -> int | None:
    """Wait until the process is ready; return its port, None for a unix socket. The caller sets a timeout."""
    check = address.check
    port = check.port
    if check.find_port is not None:
        while (port := check.find_port(address.log.tail.lines)) is None:  # noqa: ASYNC110 - a rare path
            await asyncio.sleep(_LISTENING_POLL_S)
    server = (
        ServerAddress(f"http://127.0.0.1:{port}", bearer_key=check.key)
        if check.socket_path is None
        else ServerAddress("http://localhost", unix_socket=str(check.socket_path), bearer_key=check.key)
    )
    while True:
        if check.logs_probes:
            await wait_until_healthy(server, path=check.health_path, max_poll_s=_LOGGED_POLL_S)
        else:
            await wait_until_healthy(server, path=check.health_path, new_output=address.log.new_output)
        if port is None or not check.checks_owner:
            return port
        address.is_foreign = not await asyncio.to_thread(_is_own_listener, port, address.pid)
        if not address.is_foreign:
            return port
        await asyncio.sleep(_OWNER_POLL_S)


def _is_own_listener(port: int, pid: int) -> bool:
    """Whether the listener on a port belongs to a process, a descendant of it, or root. Blocks for milliseconds.

    Root counts for other users: Docker forwards the port of a container by a process of root. True where the system
    does not show listeners (other systems than Linux).
    """
    listeners = read_listeners(port)
    if not listeners:
        return True
    pids = (pid, *descendants(pid))
    trusts_root = os.geteuid() != _ROOT
    own = [
        listener
        for listener in listeners
        if (trusts_root and listener.uid == _ROOT) or owns_socket(pids, listener.inode)
    ]
    _warn_of_other_machines(port, own)
    return bool(own)


def _warn_of_other_machines(port: int, listeners: list[Listener]) -> None:
    if any(listener.is_public for listener in listeners):
        logger.warning(
            "the command on port %d accepts connections from other machines, without gglib's access rules: "
            "add '--host 127.0.0.1' to it, or the option that it has for the address",
            port,
        )
