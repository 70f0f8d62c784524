"""Restarts ``gglib serve`` under streams, with sockets of a service manager and without: what is lost, what waits.

``python -m scripts.restart_under_load [--streams 200] [--restarts 3]`` runs on any system: the service manager is a
small program with systemd's protocol (``tests.support.service_manager``), the engine is scripted. Times are only
comparable on an idle machine. ``scripts.try_systemd`` does the same with systemd itself.
"""

import argparse
import http.client
import json
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.service_manager import ServiceManager

from gglib.cli.app import cli
from gglib.testing import Script, install_scripted_server, write_tiny_gguf

LIMIT_S = 120.0
PROBE_INTERVAL_S = 0.02
"""Between two new connections of the client that connects all the time."""
BODY = json.dumps({"model": "tiny", "stream": True, "messages": [{"role": "user", "content": "Hi"}]})


class Stream(threading.Thread):
    """A streamed response on a connection of its own."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.has_begun = threading.Event()
        self.is_whole = False
        self._port = port

    def run(self) -> None:
        """Send the request and read the response."""
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_S)
        text = b""
        try:
            client.request("POST", "/v1/chat/completions", BODY, {"content-type": "application/json"})
            response = client.getresponse()
            while part := response.read1():
                text += part
                self.has_begun.set()
        except (OSError, http.client.HTTPException):
            return
        finally:
            client.close()
            self.has_begun.set()
        self.is_whole = b"[DONE]" in text and b'"error"' not in text


@dataclass
class Connecting:
    """A client that opens a connection for each request, all the time."""

    port: int
    waits_s: list[float] = field(default_factory=list)
    failures: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Request the models until the end."""
        while not self.is_over.wait(PROBE_INTERVAL_S):
            began_s = time.monotonic()
            client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
            try:
                client.request("GET", "/v1/models")
                is_served = client.getresponse().status == http.HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                is_served = False
            finally:
                client.close()
            if is_served:
                self.waits_s.append(time.monotonic() - began_s)
            else:
                self.failures += 1


@dataclass(frozen=True)
class Restarted:
    """What one restart did."""

    lost: int
    refused: int
    served: int
    longest_wait_s: float
    stop_s: float
    start_s: float


def restart(manager: ServiceManager, port: int, streams: int) -> Restarted:
    """Restart the service once all streams have begun."""
    running = [Stream(port) for _ in range(streams)]
    for stream in running:
        stream.start()
    for stream in running:
        stream.has_begun.wait(LIMIT_S)
    connecting = Connecting(port)
    client = threading.Thread(target=connecting.run, daemon=True)
    client.start()
    assert manager.process is not None
    began_s = time.monotonic()
    manager.process.send_signal(signal.SIGTERM)
    manager.process.wait(LIMIT_S)
    stopped_s = time.monotonic()
    manager.start()
    manager.wait_for(READY="1")
    ready_s = time.monotonic()
    for stream in running:
        stream.join(LIMIT_S)
    time.sleep(1)
    connecting.is_over.set()
    client.join(LIMIT_S)
    return Restarted(
        lost=sum(not stream.is_whole for stream in running),
        refused=connecting.failures,
        served=len(connecting.waits_s),
        longest_wait_s=max(connecting.waits_s),
        stop_s=stopped_s - began_s,
        start_s=ready_s - stopped_s,
    )


def measure(home: Path, *, streams: int, restarts: int, has_sockets: bool) -> list[Restarted]:
    """Restart a service with or without passed sockets."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4_096)
    port = listener.getsockname()[1]
    if not has_sockets:
        listener.close()
    passed = [("gglib", listener)] if has_sockets else []
    command = [sys.executable, "-m", "gglib", "--home", str(home), "serve", "--port", str(port)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "src", "HOME": str(home)}
    log = home / "service.txt"
    with (
        listener if has_sockets else nullcontext(),
        ServiceManager(command, environment, passed, log=log) as manager,
    ):
        manager.start()
        manager.wait_for(READY="1")
        return [restart(manager, port, streams) for _ in range(restarts)]


def row(name: str, found: Sequence[Restarted], streams: int) -> str:
    """Return a row of the table."""
    total = streams * len(found)
    return (
        f"| {name} | {sum(one.lost for one in found)} of {total} | {sum(one.refused for one in found)} of "
        f"{sum(one.refused + one.served for one in found)} | {max(one.longest_wait_s for one in found):.2f} s | "
        f"{statistics.median(one.stop_s for one in found):.2f} s | "
        f"{statistics.median(one.start_s for one in found):.2f} s |"
    )


def main() -> int:
    """Print a table; the exit code is 1 if a stream or, with sockets, a connection was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="duration of a stream")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="gg-"))
    try:
        script = Script(chunks=40, chunk_interval_s=options.seconds / 40, lifetime_s=600)
        engine = install_scripted_server(home / "bin", script)
        (home / "config.toml").write_text(f'engine = "{engine}"\ndrain_s = 60\n')
        gguf = write_tiny_gguf(home / "tiny.gguf")
        cli.main(["--home", str(home), "add", str(gguf)], standalone_mode=False)
        print("| | streams lost | new connections not served | longest wait of one | stop | start |")
        print("|---|---:|---:|---:|---:|---:|")
        is_lossless = True
        for name, has_sockets in (("with passed sockets", True), ("without", False)):
            found = measure(home, streams=options.streams, restarts=options.restarts, has_sockets=has_sockets)
            print(row(name, found, options.streams), flush=True)
            is_lossless &= not any(one.lost or (has_sockets and one.refused) for one in found)
        return 0 if is_lossless else 1
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    sys.exit(main())
