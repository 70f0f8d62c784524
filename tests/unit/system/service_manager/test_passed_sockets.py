"""The sockets that a service manager passes, taken by a child process at the descriptors of the protocol."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

PARENT = """
import os, sys
from gglib.core.errors import GglibError
from gglib.system.service_manager.passed_sockets import take_sockets

# What systemd does after the fork: descriptors from 3 on, and the process id of the service.
for place, descriptor in enumerate(map(int, sys.argv[2:]), 3):
    os.dup2(descriptor, place)
environment = {"LISTEN_FDS": str(len(sys.argv) - 2), "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": sys.argv[1]}
try:
    for passed in take_sockets(environment, os.getpid()):
        print(passed.name, passed.socket.getsockname(), os.get_inheritable(passed.socket.fileno()))
except GglibError:
    for place in range(3, 1 + len(sys.argv)):  # each of them alone, at the first place
        os.dup2(place, 3)
        try:
            print(take_sockets(environment | {"LISTEN_FDS": "1"}, os.getpid()))
        except GglibError as error:
            print(error)
"""


def take(names: str, descriptors: Sequence[int]) -> subprocess.CompletedProcess[str]:
    """Pass descriptors to a process that takes them. High ones, which the places from 3 on do not overwrite."""
    import fcntl

    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100) for descriptor in descriptors]
    try:
        return subprocess.run(
            [sys.executable, "-c", PARENT, names, *map(str, high)],
            pass_fds=high,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        for descriptor in high:
            os.close(descriptor)


def test_listeners_are_taken_with_their_names_and_not_passed_on(tmp_path: Path) -> None:
    """TCP and unix; the listeners of the parent still listen after the child has ended."""
    path = str(tmp_path / "s")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        done = take("web:ollama", [tcp.fileno(), unix.fileno()])
        assert done.stdout.splitlines() == [f"web {tcp.getsockname()} False", f"ollama {path} False"], done
        socket.create_connection(tcp.getsockname(), 5).close()


def test_other_descriptors_are_refused_with_what_to_do(tmp_path: Path) -> None:
    """A file, a datagram socket, a socket that is only bound, a connection, and a listener of another family.

    A socket of virtual machines (vsock(7)) has no address by which access could be decided.
    """
    with (
        (tmp_path / "file").open("w") as file,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket() as unbound,
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as connection,
        machines_listener() as machines,
    ):
        sockets = (datagrams, unbound, connection, *machines)
        others = [file.fileno(), *(other.fileno() for other in sockets)]
        done = take("x", others)
        refused = "descriptor 3 ('x'), which is not a listening stream socket"
        assert done.stdout.count(refused) == len(others), done
        assert done.stdout.count("use ListenStream= with an IP address or a path") == len(others)


@contextmanager
def machines_listener() -> Iterator[tuple[socket.socket, ...]]:
    """Listen for virtual machines; yield nothing where the kernel cannot."""
    with ExitStack() as stack:
        try:
            listener = stack.enter_context(socket.socket(socket.AF_VSOCK))
            listener.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
            listener.listen()
        except (AttributeError, OSError):
            yield ()
        else:
            yield (listener,)
