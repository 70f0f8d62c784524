"""The hosts of the other tests: separate networks and processes, and nothing that stays."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.network.host import Host, HostGoneError, own_environment
from tests.support.network.network import Network
from tests.support.waiting import wait_until

PORT = 8080
ECHO = f"""
import socket
with socket.create_server(("", {PORT})) as listener:
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"here")
"""
SLEEP = ("sleep", f"86399.{os.getpid()}")
"""A command line that no other process has."""


@pytest.fixture
def network() -> Iterator[Network]:
    """Yield two hosts."""
    with Network("a", "b") as network:
        yield network


def start(host: Host, *command: str) -> int:
    """Start a process without output."""
    program = shutil.which(command[0])
    assert program is not None
    with Path(os.devnull).open("wb") as nothing:
        return host.start([program, *command[1:]], nothing.fileno(), own_environment())


def serve(host: Host) -> None:
    """Serve on a host, and return when it is reached from itself."""
    start(host, sys.executable, "-c", ECHO)
    wait_until(lambda: reaches(host, "127.0.0.1"))


def reaches(host: Host, address: str) -> bool:
    """Whether a host reaches a server."""
    try:
        with host.connect(PORT, address) as connection:
            return connection.recv(4) == b"here"
    except OSError:
        return False


def sleeping() -> list[str]:
    """Return the processes of this machine, on any host, that run ``SLEEP``."""
    words = "\0".join(SLEEP).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().rstrip(b"\0").endswith(words):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_hosts_have_ports_and_processes_of_their_own(network: Network) -> None:
    """The same port may be used on both; each sees its own processes alone."""
    a, b = network.hosts["a"], network.hosts["b"]
    serve(b)
    assert reaches(a, b.address)
    assert not reaches(a, "127.0.0.1")
    assert a.processes() == {}
    (pid,) = b.processes()
    assert b.exit_code(pid) is None
    b.kill(pid)
    wait_until(lambda: b.exit_code(pid) == -signal.SIGKILL)
    assert b.processes() == {}


def test_a_cut_is_between_two_hosts(network: Network) -> None:
    """A connection that is open stays open, and goes on after the cut."""
    a, b = network.hosts["a"], network.hosts["b"]
    serve(b)
    with a.connect(PORT, b.address) as connection:
        assert connection.recv(4) == b"here"
        network.cut("a", "b")
        assert not reaches(a, b.address)
        network.mend("a", "b")
        assert reaches(a, b.address)
        connection.sendall(b"still open")


def test_a_host_without_power_says_nothing(network: Network) -> None:
    """Its processes end, and its connections do not: no end of them arrives."""
    a, b = network.hosts["a"], network.hosts["b"]
    serve(b)
    start(b, *SLEEP)
    wait_until(lambda: len(sleeping()) == 1)
    with a.connect(PORT, b.address) as connection:
        assert connection.recv(4) == b"here"
        network.power_off("b")
        wait_until(lambda: not sleeping())
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    with pytest.raises(HostGoneError):
        b.processes()
    again = network.power_on("b")
    assert again.processes() == {}
    serve(again)
    assert reaches(a, again.address)


def test_nothing_is_left_of_a_network() -> None:
    """Neither after its block, nor when the process that made it is killed."""
    with Network("a") as network:
        start(network.hosts["a"], *SLEEP)
        wait_until(sleeping)
    assert not sleeping()
    program = (
        "import time\nfrom tests.integration.cluster.test_network import *\n"
        "with Network('a') as network:\n"
        "    start(network.hosts['a'], 'sleep', sys.argv[1])\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, SLEEP[1]]) as owner:
        try:
            wait_until(sleeping)
        finally:
            owner.kill()
    wait_until(lambda: not sleeping())
