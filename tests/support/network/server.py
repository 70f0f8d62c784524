"""``gglib serve`` on a host, with a home of its own, started, stopped and killed as often as a test likes."""

import http.client
import json
import shutil
import signal
import subprocess
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.network.host import Host, HostGoneError, own_environment
from tests.support.network.network import Network
from tests.support.preloaded import GGLIB, SOURCE, PreloadedProcess

from gglib.testing import Script, install_scripted_server, write_tiny_gguf

PORT = 8080
LIMIT_S = 60.0
"""For what a busy machine may delay: a start, a process that ends."""
_POLL_S = 0.01
_REQUEST_LIMIT_S = 10.0
ENGINE_LIFE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Home:
    """A home for servers to copy; the models' files are beside it."""

    path: Path

    def new_key(self) -> str:
        """Return a new admin key."""
        return self.command("key", "new", "front", "--admin").strip()

    def add(self, name: str, *options: str) -> None:
        """Write a tiny model and add it; ``options`` are those of ``gglib add``."""
        file = self.path.parent / f"{name}.gguf"
        write_tiny_gguf(file, name=name, seed=zlib.crc32(name.encode()))
        self.command("add", str(file), "--name", name, *options)

    def command(self, *words: str) -> str:
        """Run a gglib command that must succeed, and return its output."""
        environment = own_environment() | {"GGLIB_HOME": str(self.path)}
        with PreloadedProcess(
            [*GGLIB, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            output, errors = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, errors
        return output


class HostServer:
    """A gglib on one host of a network. Its log goes on over restarts."""

    def __init__(
        self,
        network: Network,
        name: str,
        directory: Path,
        *,
        engine: str = "embedded",
        template: Home | None = None,
        key: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """``template`` is the home to copy, ``key`` an admin key of it; without them, it has no models and no keys."""
        self.name = name
        self.home = directory / name
        self.key = key
        self._network = network
        self._environment = own_environment() | {
            "GGLIB_HOME": str(self.home),
            "GGLIB_ENGINE": engine,
            "PYTHONPATH": str(SOURCE),
            **(settings or {}),
        }
        self.pid = 0
        """Process id of its last run, on its host."""
        if template is None:
            self.home.mkdir(parents=True)
        else:
            shutil.copytree(template.path, self.home)

    @property
    def host(self) -> Host:
        """The host as it is now: another one after it was switched off and on. Raises ``HostGoneError``."""
        host = self._network.hosts.get(self.name)
        if host is None:
            raise HostGoneError(self.name)
        return host

    @property
    def log(self) -> Path:
        """What all its runs have printed."""
        return self.home / "serve.out"

    def start(self) -> None:
        """Start the server; return at once."""
        with self.log.open("ab") as output:
            # Without a key, a server may only be reached from its own host.
            address = self.host.address if self.key else "127.0.0.1"
            command = [*GGLIB, "serve", "--host", address, "--port", str(PORT)]
            self.pid = self.host.start(command, output.fileno(), self._environment)

    def wait_until_ready(self) -> None:
        """Return when the server answers that it is ready."""
        self.wait_until(self.is_ready)

    def is_ready(self) -> bool:
        """Whether the server answers that it is ready."""
        try:
            status, _ = self.get("/ready")
        except (OSError, http.client.HTTPException):
            code = self.host.exit_code(self.pid)
            assert code is None, f"{self.name} ended with {code}: {self.log.read_text()[-3000:]}"
            return False
        return status == 200

    def kill(self) -> None:
        """Kill the server's process, not its engines."""
        assert self.host.kill(self.pid), f"{self.name} does not run"

    def pause(self) -> None:
        """Stop the server's process where it is; its kernel still accepts connections."""
        self.host.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let the server's process go on."""
        self.host.kill(self.pid, signal.SIGCONT)

    def stop(self) -> int | None:
        """Stop the server as a service manager does, and return its exit code."""
        self.host.kill(self.pid, signal.SIGTERM)
        self.wait_until(lambda: self.host.exit_code(self.pid) is not None)
        return self.host.exit_code(self.pid)

    def get(self, path: str) -> tuple[int, Any]:
        """Return the status and the JSON of a response, to a request from its own host. Raises ``OSError``."""
        return self._request("GET", path, None)

    def post(self, path: str, content: Mapping[str, Any]) -> tuple[int, Any]:
        """Like ``get``, for a POST."""
        return self._request("POST", path, json.dumps(content))

    def status(self) -> dict[str, Any]:
        """Return its ``/gglib/status``."""
        status, content = self.get("/gglib/status")
        assert status == 200, content
        return dict(content)

    def requests_in_progress(self) -> int:
        """Return how many requests are in flight or waiting."""
        content = self.status()
        in_flight = sum(resident["in_flight"] for resident in content["residents"])
        return int(in_flight + sum(waiting["waiting"] for waiting in content["waiting"]))

    def wait_until(self, is_true: Callable[[], object], *, within_s: float = LIMIT_S) -> float:
        """Return when something holds, and after how many seconds. Raises ``AssertionError`` with the log."""
        started_s = time.monotonic()
        while not is_true():
            assert time.monotonic() - started_s < within_s, self.log.read_text()[-3000:]
            time.sleep(_POLL_S)
        return time.monotonic() - started_s

    def _request(self, method: str, path: str, body: str | None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        connection.sock = self.host.connect(PORT, self.host.address if self.key else "127.0.0.1")
        connection.sock.settimeout(_REQUEST_LIMIT_S)
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()


def scripted_engine(directory: Path, **script: Any) -> str:
    """Install a scripted engine that lives as long as a long run, and return its path."""
    return str(install_scripted_server(directory, Script(lifetime_s=ENGINE_LIFE_S, **script)))
