"""The contract of every adapter to nodes: the same tests for the fake and for nodes by address.

A cluster has three nodes: ``a`` and ``b``, which load at once, and ``slow``, whose loads take longer than any test.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from tests.support.gglib_node import GglibNode, content_hash
from tests.support.waiting import until

from gglib.core.errors import NodeRefusedError, NodeUnreachableError
from gglib.core.models import ModelSummary
from gglib.core.nodes import ModelContent, NodeModel, NodeSnapshot, NodeState
from gglib.core.ports.nodes import NodesPort
from gglib.nodes.peers.adapter import PeerNodes
from gglib.nodes.peers.peer import Peer
from gglib.testing import FakeNodes, Script

MODELS = {"a": ("small", "large"), "b": ("small",), "slow": ("small",)}
KEY = "an-admin-key-of-all-nodes"
FRONT = "the-id-of-this-front"


class Cluster(ABC):
    """Three nodes, and the port to them."""

    nodes: NodesPort

    def node(self, name: str) -> NodeSnapshot:
        """Return what is known of a node."""
        return next(snapshot for snapshot in self.nodes.snapshots() if snapshot.name == name)

    async def until_state(self, name: str, state: NodeState) -> NodeSnapshot:
        """Wait for a state of a node."""
        await until(lambda: self.node(name).state is state)
        return self.node(name)

    def residents(self, name: str) -> list[str]:
        """Return the models that are in memory at a node."""
        return [resident.model_name for resident in self.node(name).status.residents]

    def ready_models(self, name: str) -> list[str]:
        """Return the models that are ready for requests at a node."""
        residents = self.node(name).status.residents
        return [resident.model_name for resident in residents if resident.state == "ready"]

    @abstractmethod
    async def kill(self, name: str) -> None:
        """End a node without notice."""

    @abstractmethod
    async def revive(self, name: str, *models: str) -> None:
        """Start it again, with other models."""

    @abstractmethod
    async def send_waiting(self, name: str, request_id: str) -> None:
        """Send a request of this gglib to a node, where it waits for its model."""

    @abstractmethod
    async def until_given_back(self, name: str, request_id: str) -> None:
        """Return when this request has ended, withdrawn. Fails if it has ended otherwise."""

    @abstractmethod
    async def pulled(self, name: str) -> list[str]:
        """Return what a node has to download."""


class FakeCluster(Cluster):
    """Nodes in memory."""

    def __init__(self) -> None:
        self.fake = self.nodes = FakeNodes(_snapshot(name, *models) for name, models in MODELS.items())
        self.fake.slow_nodes = ("slow",)
        self.fake.keys = dict.fromkeys(MODELS, KEY)
        self.given_back: list[tuple[str, str]] = []

    async def kill(self, name: str) -> None:
        """End a node."""
        self.fake.set_state(name, NodeState.DOWN, f"Node '{name}' cannot be reached.")

    async def revive(self, name: str, *models: str) -> None:
        """Start it again."""
        self.fake.put(_snapshot(name, *models))

    async def send_waiting(self, name: str, request_id: str) -> None:
        """Add a request that waits."""
        self.fake.waiting[name, request_id] = lambda: self.given_back.append((name, request_id))

    async def until_given_back(self, name: str, request_id: str) -> None:
        """Check that it was ended."""
        assert self.given_back == [(name, request_id)]

    async def pulled(self, name: str) -> list[str]:
        """Return the sources of its commands."""
        return [
            command.target for command in self.fake.commands if (command.kind, command.node) == ("pull", name)
        ]


class ServedCluster(Cluster):
    """Nodes that are servers, which take requests as they are sent by the front ``FRONT``."""

    key = KEY

    def __init__(self) -> None:
        self.sent: dict[tuple[str, str], asyncio.Task[httpx2.Response]] = {}

    async def send_waiting(self, name: str, request_id: str) -> None:
        """Send a chat as a front does."""
        headers = {"authorization": f"Bearer {self.key}", "x-gglib-hop": FRONT, "x-request-id": request_id}
        body = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}
        client = httpx2.AsyncClient(base_url=self.node(name).url, timeout=60, trust_env=False)

        async def send() -> httpx2.Response:
            async with client:
                return await client.post("/v1/chat/completions", json=body, headers=headers)

        self.sent[name, request_id] = asyncio.create_task(send())
        await until(lambda: self.node(name).status.waiting)

    async def until_given_back(self, name: str, request_id: str) -> None:
        """Check the error of its response."""
        response = await self.sent.pop((name, request_id))
        assert (response.status_code, response.json()["error"]["code"]) == (503, "withdrawn")


class PeerCluster(ServedCluster):
    """Servers in this process, by address."""

    def __init__(self, servers: dict[str, GglibNode], nodes: NodesPort) -> None:
        super().__init__()
        self.servers = servers
        self.nodes = nodes

    async def kill(self, name: str) -> None:
        """Reset all its connections."""
        await self.servers[name].stop()

    async def revive(self, name: str, *models: str) -> None:
        """Start a server at the same address."""
        await self.servers[name].start(*models)

    async def pulled(self, name: str) -> list[str]:
        """Return the targets of its library."""
        return await self.servers[name].pulled()


def _snapshot(name: str, *models: str) -> NodeSnapshot:
    return NodeSnapshot(
        name=name,
        url=f"http://{name}:8080",
        state=NodeState.READY,
        models=tuple(
            NodeModel(
                summary=ModelSummary(id=number, name=model, size_bytes=1000),
                content=ModelContent(sha256=content_hash(model), size_bytes=1000),
            )
            for number, model in enumerate(models, 1)
        ),
        version="0.1.0",
        seen_at_s=0.0,
    )


@contextlib.asynccontextmanager
async def peer_cluster(directory: Path) -> AsyncIterator[PeerCluster]:
    """Run three servers and watch them."""
    async with AsyncExitStack() as stack:
        servers = {
            name: await stack.enter_async_context(
                GglibNode(
                    directory / name,
                    *models,
                    script=Script(load_s=60) if name == "slow" else None,
                    api_keys={"front": KEY},
                )
            )
            for name, models in MODELS.items()
        }
        peers = [
            Peer(name=name, url=server.url, key_env="NODES_KEY", key=KEY) for name, server in servers.items()
        ]
        nodes = await stack.enter_async_context(PeerNodes(peers, own_instance=FRONT))
        cluster = PeerCluster(servers, nodes)
        for name in MODELS:
            await cluster.until_state(name, NodeState.READY)
        yield cluster


@pytest.fixture(params=["fake", "peers"])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Give each adapter in turn."""
    if request.param == "fake":
        yield FakeCluster()
        return
    async with peer_cluster(tmp_path) as peers:
        yield peers


class TestNodesPort:
    async def test_each_node_is_known_with_its_models(self, cluster: Cluster) -> None:
        """In a stable order; the same file has the same content on each node."""
        assert [snapshot.name for snapshot in cluster.nodes.snapshots()] == list(MODELS)
        for name, models in MODELS.items():
            node = cluster.node(name)
            assert node.takes_requests
            assert node.failure == ""
            assert node.version
            assert node.seen_at_s is not None
            assert [model.name for model in node.models] == list(models)
            assert {model.name: model.content for model in node.models} == {
                model: ModelContent(sha256=content_hash(model), size_bytes=1000) for model in models
            }

    async def test_a_node_has_an_endpoint(self, cluster: Cluster) -> None:
        """As long as it is one, whatever its state."""
        await cluster.kill("b")
        for name in MODELS:
            endpoint = cluster.nodes.endpoint(name)
            assert endpoint is not None
            assert (endpoint.url, endpoint.key, endpoint.is_remote) == (cluster.node(name).url, KEY, True)
        assert cluster.nodes.endpoint("nowhere") is None

    async def test_a_model_is_loaded_and_unloaded(self, cluster: Cluster) -> None:
        """The commands return when it is done, and the snapshot follows."""
        await cluster.nodes.load("a", "large", 2048)
        await until(lambda: cluster.ready_models("a") == ["large"])
        (resident,) = cluster.node("a").status.residents
        assert resident.effective_ctx == 2048
        assert await cluster.nodes.unload("a", "large")
        await until(lambda: cluster.residents("a") == [])
        assert not await cluster.nodes.unload("a", "large")

    async def test_a_model_is_loaded_with_the_context_of_its_node(self, cluster: Cluster) -> None:
        """Where the request names none."""
        await cluster.nodes.load("b", "small", None)
        await until(lambda: cluster.ready_models("b") == ["small"])

    async def test_a_download_is_queued(self, cluster: Cluster) -> None:
        """At that node alone."""
        await cluster.nodes.pull("a", "owner/model:Q4_K_M")
        assert {name: await cluster.pulled(name) for name in MODELS} == {
            "a": ["owner/model:Q4_K_M"],
            "b": [],
            "slow": [],
        }

    async def test_a_node_refuses_with_its_own_message(self, cluster: Cluster) -> None:
        """It does not have the model."""
        for command in (cluster.nodes.load("b", "large", None), cluster.nodes.unload("b", "large")):
            with pytest.raises(NodeRefusedError, match="'large'"):
                await command
        assert cluster.node("b").takes_requests

    async def test_a_request_that_waits_is_withdrawn(self, cluster: Cluster) -> None:
        """Once: then it is unknown."""
        await cluster.send_waiting("slow", "a/request?")
        assert not await cluster.nodes.withdraw("a", "a/request?")
        assert not await cluster.nodes.withdraw("slow", "another")
        assert await cluster.nodes.withdraw("slow", "a/request?")
        async with asyncio.timeout(30):
            await cluster.until_given_back("slow", "a/request?")
        assert not await cluster.nodes.withdraw("slow", "a/request?")

    async def test_nothing_is_withdrawn_from_a_node_that_is_lost(self, cluster: Cluster) -> None:
        """The command raises nothing."""
        await cluster.kill("a")
        await cluster.until_state("a", NodeState.DOWN)
        assert not await cluster.nodes.withdraw("a", "request")
        assert not await cluster.nodes.withdraw("nowhere", "request")

    async def test_there_is_no_such_node(self, cluster: Cluster) -> None:
        """A command fails, and a report is ignored."""
        cluster.nodes.report_failure("nowhere")
        for command in (
            cluster.nodes.load("nowhere", "small", None),
            cluster.nodes.unload("nowhere", "small"),
            cluster.nodes.pull("nowhere", "owner/model"),
        ):
            with pytest.raises(NodeUnreachableError, match="'nowhere'"):
                await command

    async def test_a_change_wakes_those_who_wait_for_it(self, cluster: Cluster) -> None:
        """All of them; a number of the past is answered at once."""
        since = cluster.nodes.changes
        waits = [asyncio.ensure_future(cluster.nodes.wait_for_change(since)) for _ in range(2)]
        await cluster.kill("a")
        async with asyncio.timeout(30):
            assert all([await wait > since for wait in waits])
            assert await cluster.nodes.wait_for_change(since) > since

    async def test_a_report_does_not_make_a_living_node_down(self, cluster: Cluster) -> None:
        """However many there are."""
        for _ in range(100):
            cluster.nodes.report_failure("a")
        await asyncio.sleep(0.3)
        assert cluster.node("a").takes_requests

    async def test_a_dead_node_is_down_and_the_others_are_not(self, cluster: Cluster) -> None:
        """It keeps its place, its address and the reason."""
        await cluster.kill("a")
        cluster.nodes.report_failure("a")
        node = await cluster.until_state("a", NodeState.DOWN)
        assert not node.takes_requests
        assert "'a'" in node.failure
        assert [snapshot.name for snapshot in cluster.nodes.snapshots()] == list(MODELS)
        assert cluster.node("b").takes_requests
        with pytest.raises(NodeUnreachableError, match="'a'"):
            await cluster.nodes.load("a", "small", None)
        await cluster.nodes.load("b", "small", None)

    async def test_a_node_comes_back_with_another_catalogue(self, cluster: Cluster) -> None:
        """It is ready with its new models, not with those of before, and nothing is in memory."""
        await cluster.nodes.load("a", "small", None)
        await cluster.kill("a")
        await cluster.until_state("a", NodeState.DOWN)
        await cluster.revive("a", "large", "other")
        node = await cluster.until_state("a", NodeState.READY)
        assert [model.name for model in node.models] == ["large", "other"]
        assert node.failure == ""
        assert cluster.residents("a") == []
        await cluster.nodes.load("a", "other", None)

    async def test_a_node_that_dies_ends_the_load_there(self, cluster: Cluster) -> None:
        """It would never end."""
        load = asyncio.ensure_future(cluster.nodes.load("slow", "small", None))
        await asyncio.sleep(0.2)
        assert not load.done()
        await cluster.kill("slow")
        with pytest.raises(NodeUnreachableError, match="'slow'"):
            async with asyncio.timeout(30):
                await load

    async def test_a_load_can_be_given_up(self, cluster: Cluster) -> None:
        """The caller is cancelled at once."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await cluster.nodes.load("slow", "small", None)
        assert cluster.node("slow").takes_requests

    async def test_closing_is_quick_and_may_be_repeated(self, cluster: Cluster) -> None:
        """Also with a node that is down; the nodes keep running."""
        await cluster.kill("b")
        async with asyncio.timeout(5):
            await cluster.nodes.close()
            await cluster.nodes.close()
