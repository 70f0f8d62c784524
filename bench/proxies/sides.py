"""The sides that are compared: each starts its proxy and a separate upstream, and ends both by pid."""

import http.client
import json
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from bench.proxies import upstream
from bench.proxies.machine import Cores, children, pin, pinned
from bench.proxies.requests import HEADERS, MODEL, PATH, chat_body

START_LIMIT_S = 30.0
STOP_LIMIT_S = 5.0
LOOK_EVERY_S = 0.02
IDLE_CONNECTIONS = 1024
"""Idle upstream connections of nginx and Caddy: one per client, so that no request needs a new connection."""


@dataclass(frozen=True, slots=True)
class Side:
    """A running proxy and its upstream."""

    name: str
    port: int
    pids: tuple[int, ...]
    """The proxy's processes; none for ``direct``."""
    upstream_pid: int
    upstream_socket: Path
    ca: Path | None = None
    """The certificate of a side with HTTPS; None: HTTP."""

    @property
    def host(self) -> str:
        """The value of the ``Host`` header."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Scheme and authority."""
        return f"{'http' if self.ca is None else 'https'}://{self.host}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1, and its key."""

    certificate: Path
    key: Path


# --- processes ---


@contextmanager
def process(
    command: Sequence[str],
    cores: frozenset[int],
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the block on these cores, in a separate session, so that only this process receives Ctrl-C."""
    with log.open("wb") as output, pinned(cores):
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
    try:
        yield child
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    workers = children(child.pid) if child.poll() is None else []
    child.terminate()
    try:
        child.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        for pid in (*workers, child.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        child.wait()


def wait_until(is_true: Callable[[], bool], child: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a condition of a child process; raise with the end of its log if it times out."""
    deadline = time.monotonic() + START_LIMIT_S
    while not is_true():
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{log.stem} does not start: {log.read_text()[-2000:]}")
        time.sleep(LOOK_EVERY_S)


def free_port() -> int:
    """Return a port that was free when it was checked."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def is_listening(address: int | Path) -> bool:
    """Whether a port or a unix socket accepts connections."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(address) if isinstance(address, Path) else ("127.0.0.1", address)) == 0


def ask(port: int, method: str, path: str, body: bytes = b"", *, ca: Path | None = None) -> bytes:
    """Send one request and return the response body; any status but 200 is an error. ``ca`` is for HTTPS."""
    if ca is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_LIMIT_S)
    else:
        context = ssl.create_default_context(cafile=str(ca))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=START_LIMIT_S, context=context)
    connection.request(method, path, body or None, HEADERS)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{method} {path} was answered with {response.status}: {answer[:500]!r}")
    return answer


# --- the sides ---


@contextmanager
def scripted(directory: Path, cores: Cores, *, tcp_port: int | None = None) -> Iterator[tuple[int, Path]]:
    """Run a scripted upstream for the block; yields its pid and its socket."""
    path, log = directory / "upstream.sock", directory / "upstream.log"
    command = [sys.executable, upstream.__file__, "--host", str(path)]
    command += ["--tcp", str(tcp_port)] if tcp_port is not None else []
    with process(command, cores.load, log) as child:
        wait_until(lambda: is_listening(tcp_port or path), child, log)
        yield child.pid, path


@contextmanager
def direct(directory: Path, cores: Cores) -> Iterator[Side]:
    """No proxy: the upstream itself, over loopback TCP, the only transport of the load."""
    port = free_port()
    with scripted(directory, cores, tcp_port=port) as (pid, path):
        yield Side("direct", port, (), pid, path)


@contextmanager
def gglib(directory: Path, cores: Cores, tls: Certificate | None = None) -> Iterator[Side]:
    """``gglib serve`` as shipped, which launches the scripted upstream as its engine."""
    from gglib.testing import write_tiny_gguf  # noqa: PLC0415 - needs packages that only this side needs

    model = write_tiny_gguf(directory / "bench.gguf")
    serve = ("--engine", str(write_engine(directory)))
    with serving(directory, cores, model, serve=serve, tls=tls) as side:
        yield side


def write_engine(directory: Path) -> Path:
    """Write a program that runs the scripted upstream and accepts llama-server's command line."""
    engine = directory / "llama-server"
    engine.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{upstream.__file__}" "$@"\n')
    engine.chmod(0o755)
    return engine


@contextmanager
def serving(  # noqa: PLR0913 - the options of two commands
    directory: Path,
    cores: Cores,
    model: Path,
    *,
    serve: Sequence[str] = (),
    add: Sequence[str] = (),
    variables: Mapping[str, str] = MappingProxyType({}),
    tls: Certificate | None = None,
) -> Iterator[Side]:
    """Run ``gglib serve`` with one loaded model, whose engine has been moved to the load's cores.

    ``serve`` and ``add`` are the arguments of these commands. With ``tls`` it serves HTTPS.
    """
    if tls is not None:
        serve = (*serve, "--tls-cert", str(tls.certificate), "--tls-key", str(tls.key))
    ca = None if tls is None else tls.certificate
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GGLIB_", "LLAMA_"))}
    environment |= {"GGLIB_HOME": str(directory / "home"), **variables}
    program = [sys.executable, "-m", "gglib"]
    subprocess.run(
        [*program, "add", str(model), "--name", MODEL, *add],
        env=environment,
        check=True,
        capture_output=True,
    )
    log = directory / "gglib.log"
    with process([*program, "serve", "--port", "0", *serve], cores.proxy, log, environment) as child:
        wait_until(lambda: "Listening on" in log.read_text(), child, log)
        url = next(line.split()[-1] for line in log.read_text().splitlines() if "Listening on" in line)
        port = urlsplit(url).port or 80
        ask(port, "POST", PATH, chat_body(chunks=1), ca=ca)
        (resident,) = json.loads(ask(port, "GET", "/gglib/status", ca=ca))["residents"]
        pin(resident["pid"], cores.load)
        (path,) = (directory / "home/run/engines").glob("*/engine.sock")
        yield Side("gglib", port, (child.pid,), resident["pid"], path, ca)


NGINX_CONFIG = """\
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 16384;
pid {directory}/nginx.pid;
error_log {directory}/error.log error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  client_max_body_size 64m;
  keepalive_requests 1000000;
  upstream engine {{ server unix:{socket}; keepalive {idle}; keepalive_requests 1000000; keepalive_timeout 4s; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


@contextmanager
def nginx(directory: Path, cores: Cores, backend: tuple[int, Path] | None = None) -> Iterator[Side]:
    """Run nginx with one worker, and no buffering in either direction."""
    with ExitStack() as stack:
        upstream_pid, path = backend or stack.enter_context(scripted(directory, cores))
        port, log, config = free_port(), directory / "nginx.log", directory / "nginx.conf"
        # A worker of a master that runs as root would drop the permissions for the sockets' directory.
        user = f"user {pwd.getpwuid(os.geteuid()).pw_name};" if os.geteuid() == 0 else ""
        config.write_text(
            NGINX_CONFIG.format(directory=directory, socket=path, port=port, user=user, idle=IDLE_CONNECTIONS)
        )
        command = [
            _found("nginx"),
            "-e",
            str(directory / "error.log"),
            "-p",
            str(directory),
            "-c",
            str(config),
        ]
        child = stack.enter_context(process(command, cores.proxy, log))
        wait_until(lambda: is_listening(port) and bool(children(child.pid)), child, log)
        yield Side("nginx", port, (child.pid, *children(child.pid)), upstream_pid, path)


CADDY_CONFIG = """\
{{
  admin off
  auto_https off
  log {{
    level ERROR
  }}
  servers {{
    protocols h1
  }}
}}
{site} {{
  bind 127.0.0.1
  {tls}
  reverse_proxy unix/{socket} {{
    flush_interval -1
    transport http {{
      keepalive 4s
      keepalive_idle_conns {idle}
      keepalive_idle_conns_per_host {idle}
    }}
  }}
}}
"""


@contextmanager
def caddy(
    directory: Path,
    cores: Cores,
    backend: tuple[int, Path] | None = None,
    tls: Certificate | None = None,
) -> Iterator[Side]:
    """Go's reverse proxy, with immediate flushing, on one processor."""
    with ExitStack() as stack:
        upstream_pid, path = backend or stack.enter_context(scripted(directory, cores))
        port, log, config = free_port(), directory / "caddy.log", directory / "Caddyfile"
        site = f"http://127.0.0.1:{port}" if tls is None else f"https://:{port}"
        shown = "" if tls is None else f"tls {tls.certificate} {tls.key}"
        config.write_text(CADDY_CONFIG.format(site=site, tls=shown, socket=path, idle=IDLE_CONNECTIONS))
        own = {name: str(directory) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        command = [_found("caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]
        environment = {**os.environ, **own, "GOMAXPROCS": "1"}
        child = stack.enter_context(process(command, cores.proxy, log, environment))
        wait_until(lambda: is_listening(port), child, log)
        yield Side("caddy", port, (child.pid,), upstream_pid, path, None if tls is None else tls.certificate)


STARTERS = {"direct": direct, "gglib": gglib, "nginx": nginx, "caddy": caddy}
PROGRAMS = ("nginx", "caddy")
"""Sides that need a program of the same name."""


@contextmanager
def started(names: Sequence[str], directory: Path, cores: Cores) -> Iterator[list[Side]]:
    """Run these sides for the block."""
    with ExitStack() as stack:
        sides = []
        for name in names:
            own = directory / name
            own.mkdir(mode=0o700)
            sides.append(stack.enter_context(STARTERS[name](own, cores)))
        yield sides


def find_program(name: str) -> str | None:
    """Return the path of a program; servers are often not in an ordinary user's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _found(name: str) -> str:
    path = find_program(name)
    assert path is not None, name
    return path
