"""The first process of a namespace: starts, signals and lists its processes, and opens connections from it.

Run as a program with the number of a SEQPACKET socket. Each packet is an order, a JSON object with the name of a
function below and its arguments, and each gets one reply; descriptors travel beside both. At the end of the socket
this process ends, and because it is process 1 of its namespace, the kernel kills all others there. Standard library
only: it runs with ``-IS``.
"""

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

MAX_ORDER_BYTES = 262_144
MAX_DESCRIPTORS = 4
CONNECT_LIMIT_S = 5.0
_statuses: dict[int, int] = {}
"""Exit codes of ended children, by process id."""


def start(descriptors: list[int], *, command: list[str], environment: dict[str, str]) -> int:
    """Start a process and return its id. Its output goes to the first descriptor; its descriptor 3 is the second."""
    output, *others = descriptors
    actions: list[tuple[Any, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    actions += [(os.POSIX_SPAWN_DUP2, other, 3) for other in others]
    return os.posix_spawn(command[0], command, environment, file_actions=actions, setsid=True)


def send_signal(_: list[int], *, pid: int, number: int) -> bool:
    """Send a signal; return whether the process existed."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def exit_code(_: list[int], *, pid: int) -> int | None:
    """Return the exit code of a started process; None while it runs."""
    return _statuses.get(pid)


def processes(_: list[int]) -> dict[str, str]:
    """Return the command lines of all processes but this one, by process id; zombies are left out."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
            if path.name != "1" and state not in "ZX":
                found[path.name] = command or (path / "comm").read_text().strip()
    return found


def run(_: list[int], *, command: list[str]) -> str:
    """Run a command to its end and return its output. Raises ``OSError`` with what it printed if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stdout}")
    return done.stdout


def connect(_: list[int], *, address: str, port: int) -> socket.socket:
    """Return a TCP connection from this namespace."""
    return socket.create_connection((address, port), timeout=CONNECT_LIMIT_S)


_ORDERS = {order.__name__: order for order in (start, send_signal, exit_code, processes, run, connect)}


def _reply(orders: socket.socket, order: dict[str, Any], descriptors: list[int]) -> None:
    try:
        result = _ORDERS[order.pop("order")](descriptors, **order)
    except OSError as error:
        orders.send(json.dumps({"error": str(error), "number": error.errno}).encode())
        return
    if isinstance(result, socket.socket):
        with result:
            socket.send_fds(orders, [b"{}"], [result.fileno()])
    else:
        orders.send(json.dumps({"result": result}).encode())


def _reap() -> None:
    """Collect the exit codes of children, and of orphans, which are this process's children, too."""
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            _statuses[pid] = os.waitstatus_to_exitcode(status)


def main() -> None:
    """Follow orders until the socket ends."""
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        orders.send(b'{"result": "ready"}')
        while True:
            packet, descriptors, _, _ = socket.recv_fds(orders, MAX_ORDER_BYTES, MAX_DESCRIPTORS)
            if not packet:
                return
            _reap()
            _reply(orders, json.loads(packet), descriptors)
            for descriptor in descriptors:
                os.close(descriptor)


if __name__ == "__main__":
    main()
