"""Fixtures that start scripted servers as real processes, connect to them, and kill all of them at the end."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import wait_until

from gglib.testing import Script, install_scripted_server, read_record

DEADLINE_S = 10.0
"""Timeout far above any duration here, also on a busy machine."""


class UnixConnection(HTTPConnection):
    """An HTTP connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE_S)
        self.path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A started scripted server."""

    process: subprocess.Popen[bytes]
    directory: Path
    socket_path: Path
    connections: list[UnixConnection] = field(default_factory=list)

    def connect(self) -> UnixConnection:
        """Return a connection that opens with its first request, and is closed when the server is killed."""
        self.connections.append(UnixConnection(self.socket_path))
        return self.connections[-1]

    def end(self) -> None:
        """Kill the rest of the process group, and reap the server."""
        for connection in self.connections:
            connection.close()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(DEADLINE_S)

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the events recorded so far."""
        return read_record(self.directory / "record", kind)

    def stderr(self) -> str:
        """Return the stderr output so far."""
        return (self.directory / "stderr").read_text()

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Poll until the condition holds."""
        wait_until(condition, explain=lambda: f"{what}\n{self.stderr()}")

    def wait_until_ready(self) -> None:
        """Return once the model is loaded."""
        self.wait_until(lambda: "listening on" in self.stderr(), "ready")

    def is_bound(self) -> bool:
        """Whether its socket accepts connections."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket_path)) == 0

    def exit_code(self) -> int:
        """Return the exit code once the process has exited."""
        return self.process.wait(DEADLINE_S)


Launch = Callable[..., Running]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Return a function that starts a scripted server on a Unix socket; all servers are killed after the test."""
    started: list[Running] = []
    # Not tmp_path: the path of a Unix socket has to be short.
    home = Path(tempfile.mkdtemp(prefix="gg-"))

    def start(script: Script | None = None, *args: str, is_ready: bool = True) -> Running:
        directory = home / str(len(started))
        recording = replace(script or Script(), record=str(directory / "record"), lifetime_s=30)
        program = install_scripted_server(directory, recording)
        socket_path = directory / "x.sock"
        with (directory / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [program, "--host", socket_path, "--alias", "m", *args],
                stdin=subprocess.DEVNULL,
                env=dict(os.environ),
                stderr=stderr,
                start_new_session=True,
            )
        running = Running(process=process, directory=directory, socket_path=socket_path)
        started.append(running)
        if is_ready:
            running.wait_until_ready()
        return running

    yield start
    for running in started:
        running.end()
    shutil.rmtree(home)
