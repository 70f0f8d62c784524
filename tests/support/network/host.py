"""A host: a namespace with a network and processes of its own, and the orders to its first process."""

import json
import os
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.network.agent import MAX_ORDER_BYTES

AGENT = Path(__file__).with_name("agent.py")
ORDER_LIMIT_S = 60.0
"""A machine may be busy; an order that takes longer ends the test."""


class HostGoneError(Exception):
    """The host has ended: it was switched off, or its first process was killed."""


class Host:
    """A running host. ``address`` is its address in the network; empty for the switch."""

    def __init__(self, name: str, orders: socket.socket, address: str = "") -> None:
        """Wait until its first process runs."""
        self.name = name
        self.address = address
        self._orders = orders
        self._orders.settimeout(ORDER_LIMIT_S)
        self._lock = threading.Lock()
        self._receive()

    def start(
        self, command: Sequence[str], output: int, environment: Mapping[str, str], *others: socket.socket
    ) -> int:
        """Start a process in a session of its own; return its process id there. ``output`` is a descriptor."""
        descriptors = [output, *(other.fileno() for other in others)]
        pid: int = self._order("start", descriptors, command=list(command), environment=dict(environment))
        return pid

    def kill(self, pid: int, number: int = signal.SIGKILL) -> bool:
        """Send a signal; return whether the process existed."""
        return bool(self._order("send_signal", pid=pid, number=number))

    def exit_code(self, pid: int) -> int | None:
        """Return the exit code of a process; None while it runs."""
        code: int | None = self._order("exit_code", pid=pid)
        return code

    def processes(self) -> dict[int, str]:
        """Return the command lines of the host's processes by process id, without its first one."""
        return {int(pid): command for pid, command in self._order("processes").items()}

    def run(self, *command: str) -> str:
        """Run a command there and return its output. Raises ``OSError`` if it fails."""
        return str(self._order("run", command=list(command)))

    def connect(self, port: int, address: str = "127.0.0.1") -> socket.socket:
        """Return a TCP connection from the host, by default to itself. Raises ``OSError``."""
        connection = self._order("connect", address=address, port=port)
        assert isinstance(connection, socket.socket)
        connection.settimeout(ORDER_LIMIT_S)
        return connection

    def close(self) -> None:
        """End the host and all its processes, after the order in progress."""
        with self._lock:
            self._orders.close()

    def _order(self, name: str, descriptors: Sequence[int] = (), **arguments: Any) -> Any:
        packet = json.dumps({"order": name, **arguments}).encode()
        with self._lock:
            try:
                socket.send_fds(self._orders, [packet], list(descriptors))
            except OSError as error:
                raise HostGoneError(self.name) from error
            return self._receive()

    def _receive(self) -> Any:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._orders, MAX_ORDER_BYTES, 1)
        except OSError as error:
            raise HostGoneError(self.name) from error
        if not packet:
            raise HostGoneError(self.name)
        if descriptors:
            return socket.socket(fileno=descriptors[0])
        reply = json.loads(packet)
        if "error" in reply:
            raise OSError(reply["number"] or 0, reply["error"])
        return reply["result"]


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a socket for orders."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_ORDER_BYTES)
    return ours, theirs


def own_environment() -> dict[str, str]:
    """Return the environment of this process without settings of gglib, its engines and proxies."""
    hidden = ("GGLIB_", "LLAMA_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(hidden)}
