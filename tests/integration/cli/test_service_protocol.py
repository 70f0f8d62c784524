"""``gglib serve`` under a service manager with systemd's protocol: notifications, passed sockets, restarts."""

import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.service_manager import ServiceManager, StartProcess, executed, preloaded
from tests.support.waiting import wait_until

from gglib.system.service_manager.protocol import VARIABLES
from gglib.testing.scripted_server.script import REQUEST_FIELD

from .conftest import Home, installed_program

STREAMS = 15
WAITING = 10
LIMIT_S = 60.0
ANY = "0.0.0.0"  # noqa: S104 - gglib does not start there
CHAT = {"model": "tiny", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
LONG = {"chunks": 60, "chunk_interval_s": 0.1}
SHORT = {"chunks": 1}


@contextmanager
def tcp(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """Open a listener as a .socket unit does."""
    with socket.create_server((host, 0), backlog=4_096) as listener:
        yield listener


def service(
    home: Home,
    *listeners: tuple[str, socket.socket],
    watchdog_s: float | None = None,
    start_process: StartProcess = preloaded,
) -> ServiceManager:
    """Return a service manager for ``gglib serve``."""
    command = [str(installed_program()), "serve"]
    return ServiceManager(
        command,
        home.environment,
        listeners,
        log=home.path / "service.txt",
        watchdog_s=watchdog_s,
        start_process=start_process,
    )


def get(listener: socket.socket, path: str, host: str = "localhost") -> tuple[int, bytes]:
    """Request a path over a connection of its own."""
    client: http.client.HTTPConnection = http.client.HTTPConnection("localhost", timeout=LIMIT_S)
    client.sock = socket.socket(listener.family)
    client.sock.settimeout(LIMIT_S)
    client.sock.connect(listener.getsockname())
    try:
        client.request("GET", path, headers={"host": host})
        response = client.getresponse()
        return response.status, response.read()
    finally:
        client.close()


class Stream(threading.Thread):
    """A streamed response, read in a thread; ``has_begun`` is set at its first event."""

    def __init__(self, port: int, script: Mapping[str, float]) -> None:
        super().__init__(daemon=True)
        self.has_begun = threading.Event()
        self.status = 0
        self.text = b""
        self._port = port
        self._body = json.dumps(CHAT | {REQUEST_FIELD: script})

    def run(self) -> None:
        """Send the request and read the response."""
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_S)
        try:
            client.request("POST", "/v1/chat/completions", self._body, {"content-type": "application/json"})
            response = client.getresponse()
            self.status = response.status
            while part := response.read1():
                self.text += part
                self.has_begun.set()
        finally:
            client.close()

    @property
    def is_whole(self) -> bool:
        """Whether the response has its end and no error."""
        return self.status == 200 and b"[DONE]" in self.text and b'"error"' not in self.text


def test_a_restart_loses_no_stream_and_new_connections_wait(stocked: Home) -> None:
    """Streams end in the old process; what connects meanwhile is served by the new one."""
    stocked.set("drain_s = 30")
    with tcp() as listener, service(stocked, ("gglib", listener)) as manager:
        port = listener.getsockname()[1]
        manager.start()
        manager.wait_for(STATUS=f"Serving at http://127.0.0.1:{port}")
        first = manager.process
        running = [Stream(port, LONG) for _ in range(STREAMS)]
        for stream in running:
            stream.start()
        assert all(stream.has_begun.wait(LIMIT_S) for stream in running)
        assert manager.process is not None
        manager.process.send_signal(signal.SIGTERM)
        stopping = manager.wait_for(STOPPING="1")
        assert stopping["STATUS"].startswith("Waiting for ")
        assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 30_000_000
        waiting = [Stream(port, SHORT) for _ in range(WAITING)]
        for stream in waiting:
            stream.start()
        assert manager.process.wait(LIMIT_S) == 0
        manager.start()
        for stream in (*running, *waiting):
            stream.join(LIMIT_S)
        assert first is not None
        assert manager.process.pid != first.pid
        assert sum(stream.is_whole for stream in running) == STREAMS
        assert sum(stream.is_whole for stream in waiting) == WAITING
        assert manager.stop() == 0


def test_reloads_and_the_watchdog_are_notified_and_engines_do_not_inherit_it(stocked: Home) -> None:
    """SIGHUP: RELOADING=1, then READY=1. A process that is stopped (SIGSTOP) stops notifying the watchdog."""
    with tcp() as listener, service(stocked, ("gglib", listener), watchdog_s=0.2) as manager:
        manager.start()
        manager.wait_for(READY="1")
        manager.wait_for(WATCHDOG="1")
        assert manager.process is not None
        manager.process.send_signal(signal.SIGHUP)
        assert int(manager.wait_for(RELOADING="1")["MONOTONIC_USEC"]) > 0
        manager.wait_for(READY="1")
        stocked.ok("load", "tiny")
        for engine in stocked.engine_pids():
            assert not variables_of(engine) & set(VARIABLES)
        pid = manager.process.pid
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: state_of(pid) == "T")
        manager.expect_silence(0.5)
        os.kill(pid, signal.SIGCONT)
        manager.wait_for(WATCHDOG="1")
        assert manager.stop() == 0


def variables_of(pid: int) -> set[str]:
    """Return the names of a process's environment variables."""
    environment = Path(f"/proc/{pid}/environ")
    if not environment.exists():
        pytest.skip("this system has no /proc")
    return {item.partition(b"=")[0].decode() for item in environment.read_bytes().split(b"\0")}


def state_of(pid: int) -> str:
    """Return the state of a process, as proc(5) has it: ``T`` if it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_every_passed_socket_is_served_by_the_rules_of_its_kind(stocked: Home) -> None:
    """TCP, a second TCP address, a unix socket, and one for clients of Ollama, which has no page.

    The port of the settings is not bound; the commands of gglib find the one that was passed. Here the program itself
    is started, not a fork.
    """
    path = str(stocked.path / "gglib.sock")
    with tcp() as main, tcp() as ollama, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        listeners = (("gglib", unix), ("gglib", main), ("ollama", ollama))
        with service(stocked, *listeners, start_process=executed) as manager:
            manager.start()
            manager.wait_for(STATUS=f"Serving at http://127.0.0.1:{main.getsockname()[1]}")
            for listener in (main, unix, ollama):
                assert get(listener, "/health") == (200, b'{"status":"ok"}')
                assert get(listener, "/v1/models", "evil.example")[0] == 403
            assert get(ollama, "/api/version")[0] == 200
            stocked.ok("load", "tiny")
            assert manager.stop() == 0
            printed = (stocked.path / "service.txt").read_text()
            assert f"Also: unix:{path}" in printed
            assert f"For clients of Ollama: http://127.0.0.1:{ollama.getsockname()[1]}" in printed
        assert Path(path).is_socket()
        socket.create_connection(main.getsockname(), LIMIT_S).close()


def test_a_passed_address_for_other_machines_needs_a_key(stocked: Home) -> None:
    """As one that gglib would bind itself."""
    with tcp(ANY) as listener, service(stocked, ("gglib", listener)) as manager:
        manager.start()
        assert manager.process is not None
        assert manager.process.wait(LIMIT_S) == 1
    assert (
        "0.0.0.0 is reachable from other machines and no access key is set"
        in (stocked.path / "service.txt").read_text()
    )


def test_without_passed_tcp_sockets_the_address_of_the_settings_is_bound(stocked: Home) -> None:
    """A unix socket is served beside it, and notifications work without any passed socket."""
    path = str(stocked.path / "gglib.sock")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        with service(stocked, ("gglib", unix)) as manager:
            manager.start()
            status = manager.wait_for(READY="1")["STATUS"]
            assert "http://127.0.0.1:" in status
            assert get(unix, "/health")[0] == 200
            assert manager.stop() == 0
    with service(stocked) as manager:
        manager.start()
        manager.wait_for(READY="1")
        wait_until(lambda: "Listening on" in (stocked.path / "service.txt").read_text())
        assert manager.stop() == 0
