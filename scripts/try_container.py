"""Build the Containerfile and run it as an orchestrator would: another user, a read-only root, no capabilities.

``python -m scripts.try_container`` needs root on Linux, debootstrap, buildah, a Debian mirror and a package registry,
but no registry of images; it exits with 77 where something is missing. gglib is process 1 of a namespace of its own.
``gglib up --yes`` has to download the starter model into the volume and answer; then the command of the image has to
serve: health, readiness, its health check, keys, a chat, and a stop in order by SIGTERM while a response is in flight.
"""

import argparse
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from scripts.container_image import Builder, ImageConfig, bootstrap

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("debootstrap", "buildah", "unshare", "chroot")
SKIPPED = 77
"""The exit code of a check that could not be made, as automake has it."""
START_LIMIT_S = 300.0
STOP_LIMIT_S = 3 + 15
"""``drain_s`` and what the docs add to it."""
POLL_S = 0.1
KEY = "a-key-for-this-check"
CHAT = {
    "model": "smollm2-135m",
    "messages": [{"role": "user", "content": "Write a long story."}],
    "stream": True,
}
MOUNTS = """\
mount --bind {root} {root}
mount -o remount,bind,ro {root}
mount --rbind /dev {root}/dev
mount -t proc proc {root}/proc
mount -t sysfs -o ro sysfs {root}/sys
mount -t tmpfs tmpfs {root}/tmp
mount --bind {data} {root}{volume}
exec chroot {root} {command}
"""
"""Run in namespaces of its own: the rest of the machine sees none of these mounts."""


@dataclass(frozen=True, slots=True)
class Container:
    """The image's files in a directory, the volume, and how it is run."""

    root: Path
    data: Path
    config: ImageConfig
    port: int

    @property
    def url(self) -> str:
        """The address of the server: the network is this machine's."""
        return f"http://127.0.0.1:{self.port}"

    def argv(self, command: Sequence[str]) -> list[str]:
        """Return the command line that runs a command of the image as its user, with its environment alone."""
        user, group = self.config.user.split(":")
        variables = (*self.config.environment, f"GGLIB_PORT={self.port}", f"GGLIB_API_KEY={KEY}")
        inner = (
            *("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"),
            *("--bounding-set=-all", "--inh-caps=-all", "env", "--ignore-environment", *variables, *command),
        )
        (volume,) = self.config.volumes
        script = MOUNTS.format(root=self.root, data=self.data, volume=volume, command=shlex.join(inner))
        namespaces = ("--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
        return ["unshare", *namespaces, "sh", "-euc", script]

    @contextmanager
    def running(self, command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command during the block, which stops it; yield the process that made its namespaces."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.argv(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def run(self, command: Sequence[str]) -> int:
        """Run a command to its end; return its exit code."""
        done = subprocess.run(
            self.argv(command), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60
        )
        return done.returncode


class CheckError(Exception):
    """A sentence that says what does not hold."""


def check(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Print what was checked. Raises ``CheckError`` if it does not hold."""
    if not holds:
        raise CheckError(what)
    print(f"ok: {what}", flush=True)


def wait_for(what: str, holds: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something holds. Raises ``CheckError`` if the process ends before."""
    deadline = time.monotonic() + START_LIMIT_S
    while not holds():
        if process.poll() is not None or time.monotonic() > deadline:
            raise CheckError(f"no {what}:\n{log.read_text(errors='replace')}")
        time.sleep(POLL_S)


def status_of(url: str, *, key: str | None = None) -> int:
    """Return the status of a GET request; 0 if nothing listens."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    try:
        return httpx2.get(url, headers=headers, timeout=10, trust_env=False).status_code
    except httpx2.TransportError:
        return 0


@contextmanager
def stream(url: str) -> Iterator[Iterator[str]]:
    """Send a chat request; yield the lines of the stream that have text, without comments."""
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx2.stream("POST", url, json=CHAT, headers=headers, timeout=120, trust_env=False) as response:
        yield (line for line in response.iter_lines() if line and not line.startswith(":"))


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Send SIGTERM, as an orchestrator does, and wait for the end after the block. Raises ``CheckError``."""
    started = time.monotonic()
    os.kill(first_process(process), signal.SIGTERM)
    yield
    code = process.wait(STOP_LIMIT_S)
    check(code == 0, f"SIGTERM: exit code {code} after {time.monotonic() - started:.1f} s")


def first_process(unshare: subprocess.Popen[bytes]) -> int:
    """Return the id that process 1 of the namespace has on this machine."""
    return int(Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text())


def has_no_rights(pid: int, uid: str) -> bool:
    """Whether a process has this user, and no capability, not even one that it could get."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    values = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    sets = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    return set(values["Uid"]) == {uid} and all(int(values[name][0], 16) == 0 for name in sets)


def check_first_use(container: Container, log: Path) -> None:
    """Check that ``gglib up --yes`` gets a model into the empty volume and has an answer of it."""
    with container.running(("gglib", "up", "--yes"), log) as process:
        wait_for("answer", lambda: "Answer" in log.read_text(errors="replace"), process, log)
        check(True, "gglib up --yes: a model in the volume, and an answer")
        with stopped(process):
            pass


def check_serving(container: Container, log: Path) -> None:
    """Check the command of the image: probes, rights, keys, a chat, and a stop while a response is in flight."""
    config, url = container.config, container.url
    check(container.run(config.health) != 0, "the health check fails before it listens")
    with container.running(config.command, log) as process:
        wait_for("readiness", lambda: status_of(f"{url}/ready") == 200, process, log)
        check(status_of(f"{url}/health") == 200, "/health and /ready are 200 without a key")
        check(container.run(config.health) == 0, "the health check succeeds")
        pid = first_process(process)
        check(
            has_no_rights(pid, config.user.partition(":")[0]),
            f"it runs as {config.user}, without capabilities",
        )
        check(container.run(("gglib", "ps")) == 0, "commands in the container use the server")
        check(container.run(("touch", "/etc/x")) != 0, "the root is read-only")
        check(status_of(f"{url}/v1/models") == 401, "401 without a key")
        check(status_of(f"{url}/v1/models", key=KEY) == 200, "200 with the key")
        with stream(f"{url}/v1/chat/completions") as lines:
            check(next(lines).startswith("data: {"), "a chat streams")
            with stopped(process):
                rest = "".join(lines)
                check("[DONE]" in rest or "shutting_down" in rest, "the stream ends in order at a SIGTERM")
    check("Stopped." in log.read_text(errors="replace"), "the last line of its log is there")


def missing() -> list[str]:
    """Return what this machine lacks for the check."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    return lacking if os.geteuid() == 0 else ["root", *lacking]


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def main() -> int:
    """Build, run, check; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", type=Path, help="the root of a Debian; default: one is made by debootstrap")
    options = parser.parse_args()
    if missing():
        print(f"The container was not tried: this needs {', '.join(missing())}.", file=sys.stderr)
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="gglib-container-") as name:
        work = Path(name)
        base = options.base or work / "base"
        if not base.exists():
            bootstrap(base)
        builder = Builder(work)
        try:
            builder.add_base(base)
            builder.build(ROOT)
            config = builder.config()
            data = work / "data"
            data.mkdir(mode=0o700)
            os.chown(data, *map(int, config.user.split(":")))
            with builder.mounted() as root:
                container = Container(root, data, config, free_port())
                check_first_use(container, work / "up.log")
                check_serving(container, work / "serve.log")
        except CheckError as error:
            print(f"failed: {error}", file=sys.stderr)
            return 1
        finally:
            builder.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
