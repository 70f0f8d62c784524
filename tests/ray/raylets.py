"""Raylets on this machine for tests."""

import os
import secrets
import shutil
import socket
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.sockets import bound_socket

from gglib.nodes.ray.environment import (
    PORT_COUNT,
    RayletOptions,
    driver_environment,
    head_command,
    node_command,
    raylet_environment,
)
from gglib.nodes.ray.raylet import marked_processes, start_ray, stop_ray
from gglib.system.network_addresses import network_addresses

ROOT = Path(__file__).resolve().parents[2]


def free_ports(count: int) -> int:
    """Return the first of some adjacent free ports below those that the system gives away."""
    while True:
        first = 10_000 + secrets.randbelow(20_000)
        if all(_is_free(port) for port in range(first, first + count)):
            return first


def free_port() -> int:
    """Return a free port."""
    with bound_socket() as listener:
        return int(listener.getsockname()[1])


def own_address() -> str:
    """Return the address that Ray uses for this machine; it takes no loopback address where there is another one."""
    return next((address for address in network_addresses() if ":" not in address), "127.0.0.1")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("", port))
        except OSError:
            return False
    return True


class Raylets:
    """A head with further nodes, all on this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.node_ip = own_address()
        self.head_port = free_port()
        self.address = f"{self.node_ip}:{self.head_port}"
        self.token_file = directory / "token"
        self.token_file.write_text(secrets.token_hex(32))
        self.marks: dict[str, str] = {}
        self._temp_dirs: list[str] = []

    def start(self, head: str, *others: str) -> None:
        """Start a head, then further nodes at once."""
        first_ports = {name: free_ports(PORT_COUNT) for name in (head, *others)}
        self._start(head, first_ports[head], is_head=True)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self._start(name, first_ports[name]), others))

    def _start(self, name: str, first_port: int, *, is_head: bool = False) -> None:
        mark = self.marks[name] = secrets.token_hex(8)
        temp_dir = tempfile.mkdtemp(prefix="gr-")
        self._temp_dirs.append(temp_dir)
        options = RayletOptions(
            name=name, node_ip=self.node_ip, first_port=first_port, temp_dir=Path(temp_dir)
        )
        command = (
            head_command(sys.executable, options, self.head_port)
            if is_head
            else node_command(sys.executable, options, self.address)
        )
        environment = raylet_environment(
            {**os.environ, "PYTHONPATH": str(ROOT)},
            self.token_file,
            mark=mark,
            storage=self.directory / "gcs" if is_head else None,
        )
        log = self.directory / f"{name}.log"
        start_ray(command, environment, log, address=self.address, first_port=first_port)

    @property
    def driver_environment(self) -> dict[str, str]:
        """The environment of drivers."""
        return driver_environment({**os.environ, "PYTHONPATH": str(ROOT)}, self.token_file)

    def stop(self) -> None:
        """Stop all, and leave nothing."""
        with ThreadPoolExecutor() as pool:
            left = [pid for pids in pool.map(stop_ray, self.marks.values()) for pid in pids]
        for directory in self._temp_dirs:
            shutil.rmtree(directory)
        assert not left
        assert not any(marked_processes(mark) for mark in self.marks.values())
