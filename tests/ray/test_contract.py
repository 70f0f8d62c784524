"""The contract of every adapter to nodes, for the nodes of a Ray cluster: three raylets on this machine."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.contract.test_nodes import FRONT, MODELS, Cluster, ServedCluster
from tests.contract.test_nodes import TestNodesPort as Contract
from tests.ray.node_program import KEY
from tests.ray.program_home import ProgramHome
from tests.ray.raylets import ROOT, Raylets
from tests.support.waiting import is_alive, until

from gglib.core.nodes import NodeState
from gglib.nodes.ray.adapter import RayNodes
from gglib.nodes.ray.sidecar_process import RayCluster

SLOW_LOAD_S = 60


class NotingNodes(RayNodes):
    """Notes which nodes get commands."""

    def __init__(self, touched: set[str]) -> None:
        super().__init__(own_instance=FRONT)
        self._touched = touched

    async def load(self, node: str, model_name: str, num_ctx: int | None) -> None:
        """Load a model there."""
        self._touched.add(node)
        await super().load(node, model_name, num_ctx)

    async def pull(self, node: str, source: str) -> None:
        """Have the node download a model."""
        self._touched.add(node)
        await super().pull(node, source)


class RayCase(ServedCluster):
    """Nodes that agents look after."""

    nodes: RayNodes
    key = KEY

    def __init__(self, nodes: RayNodes, homes: dict[str, ProgramHome], touched: set[str]) -> None:
        super().__init__()
        self.nodes = nodes
        self.homes = homes
        self._touched = touched

    async def kill(self, name: str) -> None:
        """Kill its process."""
        self._touched.add(name)
        self.homes[name].hold()

    async def revive(self, name: str, *models: str) -> None:
        """Start another process, at another address, which its agent finds."""
        self.homes[name].set_models(*models)
        self.homes[name].release()

    async def send_waiting(self, name: str, request_id: str) -> None:
        """Send a chat, which loads a model there."""
        self._touched.add(name)
        await super().send_waiting(name, request_id)

    async def pulled(self, name: str) -> list[str]:
        """Ask the node for its downloads."""
        url = self.node(name).url
        return await asyncio.to_thread(_downloads, url)


def _downloads(url: str) -> list[str]:
    request = urllib.request.Request(f"{url}/gglib/downloads", headers={"authorization": f"Bearer {KEY}"})  # noqa: S310
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        return [download["target"] for download in json.load(response)["downloads"]]


@pytest.fixture(scope="module")
def touched() -> set[str]:
    """Give the nodes that are not as they were at first: to start all for each test takes longer than the tests."""
    return set()


@pytest.fixture(scope="module")
def raylets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Raylets, dict[str, ProgramHome]]]:
    """Run three raylets with an agent each."""
    directory = tmp_path_factory.mktemp("ray")
    homes = {name: ProgramHome(str(directory / name)) for name in MODELS}
    for name, home in homes.items():
        Path(home.directory).mkdir()
        home.set_models(*MODELS[name], load_s=SLOW_LOAD_S if name == "slow" else 0)
    raylets = Raylets(directory)
    try:
        raylets.start(*MODELS)
        subprocess.run(
            [sys.executable, "-m", "tests.ray.create_agents", raylets.address, raylets.node_ip]
            + [f"{name}={home.directory}" for name, home in homes.items()],
            env=raylets.driver_environment,
            cwd=ROOT,
            check=True,
            timeout=120,
        )
        yield raylets, homes
    finally:
        for home in homes.values():
            home.hold()
        raylets.stop()


@pytest.fixture
async def cluster(
    raylets: tuple[Raylets, dict[str, ProgramHome]], touched: set[str]
) -> AsyncIterator[Cluster]:
    """Give each test the three nodes as they were."""
    started, homes = raylets
    for name in touched & set(homes):
        homes[name].hold()
        homes[name].set_models(*MODELS[name], load_s=SLOW_LOAD_S if name == "slow" else 0)
        homes[name].release()
    touched.clear()
    nodes = NotingNodes(touched)
    nodes.start()
    case = RayCase(nodes, homes, touched)
    try:
        await nodes.follow(
            RayCluster(address=started.address, token_file=started.token_file, node_ip=started.node_ip)
        )
        await until(lambda: all(home.find() is not None for home in homes.values()), poll_s=0.1)
        urls = [found.url for home in homes.values() if (found := home.find()) is not None]
        await until(lambda: [node.url for node in nodes.snapshots()] == urls)
        for name in MODELS:
            await case.until_state(name, NodeState.READY)
        yield case
    finally:
        await nodes.close()


class TestRayNodes(Contract):
    """All of it, and what is of Ray alone."""

    async def test_closing_leaves_no_process(self, cluster: RayCase) -> None:
        """The sidecar ends at once."""
        sidecar = cluster.nodes.sidecar
        assert sidecar is not None
        pid = sidecar.pid
        assert pid is not None
        assert is_alive(pid)
        await cluster.nodes.close()
        assert not is_alive(pid)

    async def test_a_lost_sidecar_changes_nothing(self, cluster: RayCase) -> None:
        """Another one is started, and a node that was restarted meanwhile is found."""
        sidecar = cluster.nodes.sidecar
        assert sidecar is not None
        before = sidecar.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await until(lambda: cluster.nodes.trouble)
        assert [node.takes_requests for node in cluster.nodes.snapshots()] == [True, True, True]
        await cluster.nodes.load("a", "small", None)
        await until(lambda: sidecar.pid not in {None, before} and not cluster.nodes.trouble)

    async def test_a_killed_node_is_started_again_by_its_agent(self, cluster: RayCase) -> None:
        """With its models, and nothing in memory."""
        await cluster.nodes.load("b", "small", None)
        before = cluster.homes["b"].find()
        cluster.homes["b"].kill()  # not held: the agent starts it
        await until(lambda: (found := cluster.homes["b"].find()) is not None and found != before)
        await until(lambda: cluster.node("b").takes_requests and not cluster.residents("b"))
        await cluster.nodes.load("b", "small", None)
