"""A service manager with systemd's protocol: opens sockets, passes them, receives notifications, restarts."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from tests.support.preloaded import OWN_PID, PreloadedProcess

LIMIT_S = 60.0
HIGH = 100
"""Copies of the sockets, where no descriptor of the launcher is in the way."""
LAUNCHER = f"""
import os, sys
count = int(sys.argv[1])
for place, descriptor in enumerate(map(int, sys.argv[2 : 2 + count]), 3):
    os.dup2(descriptor, place)
    os.set_inheritable(place, True)
for name, value in os.environ.items():
    if value == {OWN_PID!r}:
        os.environ[name] = str(os.getpid())
command = sys.argv[2 + count :]
os.execv(command[0], command)
"""
"""Becomes the service, as systemd's child does between ``fork`` and ``exec``: only there its process id is known."""

StartProcess = Callable[
    [Sequence[str], Sequence[int], Mapping[str, str], BinaryIO], "subprocess.Popen[bytes]"
]
"""Starts a command with passed descriptors, an environment with values ``OWN_PID``, and a log."""


def executed(
    command: Sequence[str], passed: Sequence[int], environment: Mapping[str, str], log: BinaryIO
) -> "subprocess.Popen[bytes]":
    """Start a program as systemd does."""
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, str(len(passed)), *map(str, passed)]
    return subprocess.Popen(
        [*launcher, *command],
        pass_fds=passed,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
    )


def preloaded(
    command: Sequence[str], passed: Sequence[int], environment: Mapping[str, str], log: BinaryIO
) -> "subprocess.Popen[bytes]":
    """Start gglib in a fork of a process that has imported it."""
    return PreloadedProcess(
        command, pass_fds=passed, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
    )


class ServiceManager:
    """Runs one service with passed sockets. ``listeners`` are the sockets with their names."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        listeners: Sequence[tuple[str, socket.socket]] = (),
        *,
        log: Path,
        watchdog_s: float | None = None,
        start_process: StartProcess = executed,
    ) -> None:
        self._start_process = start_process
        self._command = command
        self._environment = environment
        self._listeners = listeners
        self._log = log
        self._watchdog_s = watchdog_s
        self._directory = tempfile.TemporaryDirectory(prefix="gg-sm-")
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notifications.bind(f"{self._directory.name}/notify")
        self._notifications.settimeout(LIMIT_S)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Return itself; nothing is started."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill what still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._notifications.close()
        self._directory.cleanup()

    def start(self) -> None:
        """Start the service and return; see ``wait_for``."""
        high = [fcntl.fcntl(listener, fcntl.F_DUPFD, HIGH) for _, listener in self._listeners]
        variables = {
            "NOTIFY_SOCKET": f"{self._directory.name}/notify",
            "LISTEN_FDS": str(len(high)),
            "LISTEN_PID": OWN_PID,
            "LISTEN_FDNAMES": ":".join(name for name, _ in self._listeners),
        }
        if self._watchdog_s is not None:
            variables |= {"WATCHDOG_USEC": str(round(self._watchdog_s * 1e6)), "WATCHDOG_PID": OWN_PID}
        with self._log.open("ab") as log:
            self.process = self._start_process(self._command, high, {**self._environment, **variables}, log)
        for descriptor in high:
            os.close(descriptor)

    def receive(self) -> dict[str, str]:
        """Return the next notification, as its assignments."""
        message = self._notifications.recv(4096).decode()
        return dict(line.split("=", 1) for line in message.split("\n"))

    def wait_for(self, **assignments: str) -> dict[str, str]:
        """Return the first notification with these assignments; others are dropped."""
        end_s = time.monotonic() + LIMIT_S
        while time.monotonic() < end_s:
            try:
                found = self.receive()
            except TimeoutError:
                break
            if found.items() >= assignments.items():
                return found
        raise AssertionError(f"no notification {assignments}: {self._log.read_text()}")

    def expect_silence(self, for_s: float) -> None:
        """Drop the notifications that have arrived, and fail if another one arrives within this time."""
        self._notifications.setblocking(False)
        try:
            while True:
                self.receive()
        except BlockingIOError:
            self._notifications.settimeout(for_s)
        try:
            raise AssertionError(f"a notification: {self.receive()}")
        except TimeoutError:
            self._notifications.settimeout(LIMIT_S)

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT_S)
