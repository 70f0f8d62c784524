"""The adapter to a cluster with a sidecar that says what a test wants. No Ray is needed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.gglib_node import GglibNode
from tests.support.waiting import is_alive, until

from gglib.core.nodes import NodeState
from gglib.nodes.ray import sidecar_process
from gglib.nodes.ray.adapter import RayNodes
from gglib.nodes.ray.messages import AgentReport, Member, Members, Trouble, to_line
from gglib.nodes.ray.sidecar_process import RayCluster


class Script:
    """What the sidecar says; a cluster whose address is the path of the script."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.cluster = RayCluster(address=str(path), token_file=path.with_name("token"))

    def write(self, mode: str, *lines: bytes) -> None:
        """Set it for the next start."""
        self._path.write_bytes(b"\n".join((mode.encode(), b"".join(lines))))


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Give the script of the next sidecar, which can be imported from anywhere."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    return Script(tmp_path / "script")


@asynccontextmanager
async def following(script: Script) -> AsyncIterator[RayNodes]:
    """Follow a cluster."""
    nodes = RayNodes(sidecar_module="tests.support.fake_sidecar")
    nodes.start()
    try:
        await nodes.follow(script.cluster)
        yield nodes
    finally:
        await nodes.close()


def members(**urls: str) -> bytes:
    """Return the line for nodes by name."""
    found = (
        Member(name=name, is_connected=True, report=AgentReport(url=url, key="k"))
        for name, url in urls.items()
    )
    return to_line(Members(cluster="c", members=tuple(found)))


class TestRayNodes:
    async def test_members_are_nodes(self, script: Script, tmp_path: Path) -> None:
        """With their address and key; all else is as for nodes by address."""
        async with GglibNode(tmp_path / "node", "small", api_keys={"front": "k"}) as node:
            script.write("stay", members(box=node.url))
            async with following(script) as nodes:
                await until(lambda: any(found.state is NodeState.READY for found in nodes.snapshots()))
                (found,) = nodes.snapshots()
                assert (found.name, found.url) == ("box", node.url)
                endpoint = nodes.endpoint("box")
                assert endpoint is not None
                assert endpoint.key == "k"
                await nodes.load("box", "small", None)

    async def test_what_is_known_stays_while_the_sidecar_is_away(self, script: Script) -> None:
        """It is started again, and a member that left is gone then."""
        script.write("stay", members(a="http://127.0.0.1:9", b="http://127.0.0.1:10"))
        async with following(script) as nodes:
            await until(lambda: len(nodes.snapshots()) == 2)
            assert nodes.sidecar is not None
            first = nodes.sidecar.pid
            assert first is not None
            script.write("stay", members(b="http://127.0.0.1:10"))
            os.kill(first, signal.SIGKILL)
            await until(lambda: nodes.trouble)
            assert [node.name for node in nodes.snapshots()] == ["a", "b"]
            await until(lambda: [node.name for node in nodes.snapshots()] == ["b"])
            assert nodes.trouble == ""
            assert nodes.sidecar.pid != first

    async def test_a_sidecar_that_ends_at_once_is_started_ever_later(self, script: Script) -> None:
        """The reason is known meanwhile."""
        script.write("end", to_line(Trouble(reason="It has a reason.")))
        async with following(script) as nodes:
            await asyncio.wait_for(nodes.wait_until_heard(), 30)
            await until(lambda: "was lost" in nodes.trouble)
            assert nodes.members is None

    async def test_lines_that_cannot_be_read_are_skipped(self, script: Script) -> None:
        """Also one that is not whole."""
        script.write("stay", b"INFO Ray\n", b"\xff\n", b"{}\n", members(a="http://127.0.0.1:9"), b'{"type"')
        async with following(script) as nodes:
            await until(lambda: [node.name for node in nodes.snapshots()] == ["a"])

    async def test_a_sidecar_that_says_nothing_is_replaced(
        self, script: Script, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ray may wait for a head for ever."""
        monkeypatch.setattr(sidecar_process, "CONNECT_S", 0.5)
        script.write("silent")
        async with following(script) as nodes:
            await until(lambda: nodes.sidecar is not None and nodes.sidecar.pid is not None)
            assert nodes.sidecar is not None
            first = nodes.sidecar.pid
            await until(lambda: nodes.trouble)
            assert first is not None
            await until(lambda: not is_alive(first))

    async def test_a_sidecar_that_has_spoken_may_be_silent(
        self, script: Script, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The limit is for its first words."""
        monkeypatch.setattr(sidecar_process, "CLUSTER_S", 0.5)
        script.write("stay", members(a="http://127.0.0.1:9"))
        async with following(script) as nodes:
            await until(lambda: len(nodes.snapshots()) == 1)
            await asyncio.sleep(1)
            assert nodes.trouble == ""

    async def test_another_cluster_replaces_the_first(self, script: Script, tmp_path: Path) -> None:
        """The same one is not interrupted, and none has no nodes."""
        script.write("stay", members(a="http://127.0.0.1:9"))
        async with following(script) as nodes:
            await until(lambda: len(nodes.snapshots()) == 1)
            sidecar = nodes.sidecar
            await nodes.follow(script.cluster)
            assert nodes.sidecar is sidecar
            assert sidecar is not None
            pid = sidecar.pid
            assert pid is not None
            other = Script(tmp_path / "other")
            other.write("stay", members(b="http://127.0.0.1:9"))
            await nodes.follow(other.cluster)
            assert not is_alive(pid)
            await until(lambda: [node.name for node in nodes.snapshots()] == ["b"])
            await nodes.follow(None)
            assert (list(nodes.snapshots()), nodes.sidecar) == ([], None)

    async def test_closing_leaves_no_process(self, script: Script) -> None:
        """And may be repeated."""
        script.write("stay", members(a="http://127.0.0.1:9"))
        async with following(script) as nodes:
            await until(lambda: len(nodes.snapshots()) == 1)
            assert nodes.sidecar is not None
            pid = nodes.sidecar.pid
            assert pid is not None
            await nodes.close()
            await nodes.close()
            assert not is_alive(pid)
