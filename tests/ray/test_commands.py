"""``gglib cluster`` and ``gglib node join`` and ``leave``, with a head and a node on this machine.

The tests of the class run in their order: to form a cluster takes longer than all of them.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.ray.raylets import ROOT, free_port, free_ports, own_address
from tests.support.waiting import is_alive, wait_until

from gglib.app.cluster.home import ClusterHome
from gglib.nodes.ray.environment import MARK_VARIABLE, PORT_COUNT
from gglib.nodes.ray.raylet import marked_processes
from gglib.testing import install_scripted_server, write_tiny_gguf

COMMAND_S = 240


class RayHome:
    """A home with commands."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.port = free_port()
        self.first_port = free_ports(PORT_COUNT)
        engine = install_scripted_server(path / "engine")
        (path / "config.toml").write_text(f'port = {self.port}\nengine = "{engine}"\n')
        (path / "config.toml").chmod(0o600)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command."""
        return subprocess.run(
            [sys.executable, "-m", "gglib", "--home", str(self.path), *words],
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            cwd=ROOT,
            check=False,
        )

    def ok(self, *words: str) -> str:
        """Run a command that succeeds, and return what it prints."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def join(self, head: "RayHome", token_file: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Join the cluster of a head."""
        return self.run(
            *(
                "node",
                "join",
                head.cluster_address,
                "--name",
                self.name,
                "--first-port",
                str(self.first_port),
            ),
            *("--token-file", str(token_file or ClusterHome(head.path).token_file)),
        )

    @property
    def cluster_address(self) -> str:
        """The address of the cluster that this home has the head of."""
        part = ClusterHome(self.path).read()
        assert part is not None
        return part.address

    @property
    def url(self) -> str:
        """The address for other machines."""
        return f"http://{own_address()}:{self.port}"

    @property
    def processes(self) -> dict[str, list[int]]:
        """The processes of Ray that belong to this home, by name."""
        part = ClusterHome(self.path).read()
        found: dict[str, list[int]] = {}
        for pid in [] if part is None else marked_processes(part.mark):
            found.setdefault(Path(f"/proc/{pid}/comm").read_text().strip(), []).append(pid)
        return found

    @property
    def served_pid(self) -> int | None:
        """The process that serves this home."""
        try:
            pid: int = json.loads((self.path / "run/instance.json").read_text())["pid"]
        except (OSError, ValueError):
            return None
        return pid if is_alive(pid) else None

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve this home; yields the URL."""
        with open(self.path / "stdout.txt", "w") as output:  # noqa: PTH123 - for the process
            process = subprocess.Popen(
                [sys.executable, "-m", "gglib", "--home", str(self.path), "serve"],
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(lambda: "Listening on" in (self.path / "stdout.txt").read_text())
            yield f"http://127.0.0.1:{self.port}"
        finally:
            process.terminate()
            process.wait(30)


def kill(pids: list[int]) -> None:
    """Kill processes."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def chat(url: str) -> httpx2.Response:
    """Send a chat to a front."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}
    return httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=60, trust_env=False)


def members(home: RayHome) -> list[dict[str, Any]]:
    """Return what ``gglib cluster status --json`` prints."""
    found: list[dict[str, Any]] = json.loads(home.ok("cluster", "status", "--json"))["members"]
    return found


@pytest.fixture(scope="module")
def head() -> Iterator[RayHome]:
    """Run the head of a cluster."""
    yield from _home("head")


@pytest.fixture(scope="module")
def box() -> Iterator[RayHome]:
    """Give the home of a node, with a model."""
    for home in _home("box"):
        write_tiny_gguf(home.path / "tiny.gguf", name="tiny")
        home.ok("add", str(home.path / "tiny.gguf"), "--name", "tiny")
        yield home


@pytest.fixture(scope="module")
def front(head: RayHome) -> Iterator[str]:
    """Serve the head's home, as the front of the cluster; yields its URL."""
    with head.serving() as url:
        yield url


def _home(name: str) -> Iterator[RayHome]:
    path = Path(tempfile.mkdtemp(prefix="gg-ray-"))
    home = RayHome(path, name)
    try:
        yield home
    finally:
        home.run("node", "leave")
        pid = home.served_pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(ClusterHome(path).temp_dir, ignore_errors=True)
        shutil.rmtree(path)


@pytest.mark.timeout(COMMAND_S)
class TestCluster:
    def test_a_cluster_is_formed(self, head: RayHome, box: RayHome, front: str) -> None:
        """The head prints the command for the node; the running front uses the node without further words."""
        words = ("--port", str(free_port()), "--first-port", str(head.first_port), "--name", "front")
        printed = head.ok("cluster", "init", *words)
        assert f"gglib node join --token-file token {head.cluster_address}" in printed
        assert members(head) == []
        done = box.join(head)
        assert done.returncode == 0, done.stderr
        assert (
            f"Node 'box' of the cluster at {head.cluster_address} serves at http://{own_address()}:{box.port}."
            in done.stdout
        )
        (member,) = members(head)
        assert (member["name"], member["state"], member["is_connected"]) == ("box", "serves", True)
        assert "key" not in member["report"]
        wait_until(lambda: chat(front).status_code == 200, poll_s=0.2)
        assert chat(front).headers["x-gglib-node"] == "box"

    def test_the_front_imports_nothing_of_ray(self, head: RayHome) -> None:
        """Its libraries would be among the mapped files."""
        assert head.served_pid is not None
        assert "_raylet" not in Path(f"/proc/{head.served_pid}/maps").read_text()

    def test_init_again_changes_nothing(self, head: RayHome) -> None:
        """It prints the command once more."""
        before = head.processes
        assert "is running already" in head.ok("cluster", "init")
        assert head.processes == before

    def test_without_the_key_nothing_is_served(self, box: RayHome) -> None:
        """The node serves all machines of the network."""
        response = httpx2.get(f"{box.url}/v1/models", trust_env=False)
        assert response.status_code == 401

    def test_a_gglib_has_the_environment_of_its_user(self, box: RayHome) -> None:
        """Not that of an actor, where engines would use one thread, and could use the cluster."""
        environment = Path(f"/proc/{box.served_pid}/environ").read_bytes().split(b"\0")
        names = {variable.partition(b"=")[0].decode() for variable in environment}
        assert {name for name in names if name.startswith("RAY_")} == set()
        assert {"OMP_NUM_THREADS", MARK_VARIABLE} & names == {"OMP_NUM_THREADS"} & set(os.environ)
        assert "PATH" in names

    @pytest.mark.parametrize("token", ["wrong", None])
    def test_without_the_token_nothing_joins(self, head: RayHome, token: str | None, tmp_path: Path) -> None:
        """And nothing is left of the attempt."""
        for other in _home("other"):
            file = tmp_path / "token"
            if token is not None:
                file.write_text(token)
            before = (other.path / "config.toml").read_text()
            done = other.join(head, file)
            assert done.returncode == 1
            assert ("refuses the token" if token else "cannot be read") in done.stderr
            assert ClusterHome(other.path).read() is None
            assert not ClusterHome(other.path).temp_dir.exists()
            assert (other.path / "config.toml").read_text() == before
            assert [member["name"] for member in members(head)] == ["box"]

    def test_a_gglib_that_dies_is_started_again(self, box: RayHome, front: str) -> None:
        """By its agent."""
        before = box.served_pid
        assert before is not None
        kill([before])
        wait_until(lambda: box.served_pid not in {None, before}, poll_s=0.1)
        wait_until(lambda: chat(front).status_code == 200, poll_s=0.2)

    def test_a_gglib_survives_its_raylet(self, head: RayHome, box: RayHome, front: str) -> None:
        """The node goes on, and is adopted when it joins again."""
        before = box.served_pid
        kill(box.processes["raylet"])
        wait_until(lambda: not box.processes.get("raylet"), poll_s=0.1)
        assert chat(front).headers["x-gglib-node"] == "box"
        done = box.join(head)
        assert done.returncode == 0, done.stderr
        assert box.served_pid == before
        assert [member["state"] for member in members(head)] == ["serves"]

    def test_a_gglib_brings_its_raylet_back(self, head: RayHome, box: RayHome) -> None:
        """Ray ends a raylet that was cut off from its head for a while."""
        before = box.served_pid
        kill(box.processes["raylet"])
        wait_until(lambda: box.processes.get("raylet"), poll_s=0.1)
        wait_until(lambda: [member["state"] for member in members(head)] == ["serves"], poll_s=0.5)
        assert box.served_pid == before

    def test_nothing_ends_without_the_head(self, head: RayHome, box: RayHome, front: str) -> None:
        """And the head has its nodes when it is back."""
        before, raylets = box.served_pid, box.processes["raylet"]
        processes = head.processes
        kill(processes["gcs_server"] + processes["raylet"])
        assert chat(front).headers["x-gglib-node"] == "box"
        assert "is ready" in head.ok("cluster", "init")
        wait_until(lambda: [member["state"] for member in members(head)] == ["serves"], poll_s=0.5)
        assert (box.served_pid, box.processes["raylet"]) == (before, raylets)
        assert chat(front).headers["x-gglib-node"] == "box"

    def test_a_node_leaves(self, head: RayHome, box: RayHome, front: str) -> None:
        """Nothing is left of it, and the front forgets it."""
        pids = [pid for found in box.processes.values() for pid in found]
        served = box.served_pid
        assert served is not None
        assert "has left the cluster" in box.ok("node", "leave")
        assert [pid for pid in (*pids, served) if is_alive(pid)] == []
        assert not ClusterHome(box.path).directory.exists()
        assert not ClusterHome(box.path).temp_dir.exists()
        assert "api_keys" not in (box.path / "config.toml").read_text()
        assert members(head) == []
        wait_until(lambda: chat(front).status_code == 404, poll_s=0.2)

    def test_the_head_leaves(self, head: RayHome, front: str) -> None:
        """The cluster has ended; its front goes on with its own models."""
        pids = [pid for found in head.processes.values() for pid in found]
        assert "The cluster has ended." in head.ok("node", "leave")
        assert [pid for pid in pids if is_alive(pid)] == []
        assert "cluster_address" not in (head.path / "config.toml").read_text()
        assert httpx2.get(f"{front}/v1/models", trust_env=False).status_code == 200
