"""Several ports to nodes as one."""

import asyncio

import pytest

from gglib.core.errors import NodeUnreachableError
from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.nodes.joined import JoinedNodes
from gglib.testing import FakeNodes


def node(name: str, url: str = "") -> NodeSnapshot:
    """Return a node that is ready."""
    return NodeSnapshot(name=name, url=url or f"http://{name}:8080", state=NodeState.READY)


class TestJoinedNodes:
    def test_the_nodes_of_all_ports_are_listed(self) -> None:
        """Those of the first port first; of two with one name or one address, that of the first."""
        peers = FakeNodes([node("b"), node("c")])
        members = FakeNodes([node("a"), node("b", "http://elsewhere:1"), node("d", "http://c:8080")])
        joined = JoinedNodes(peers, members)
        assert [found.name for found in joined.snapshots()] == ["b", "c", "a"]
        endpoint = joined.endpoint("b")
        assert endpoint is not None
        assert endpoint.url == "http://b:8080"

    def test_one_port_alone_is_passed_through(self) -> None:
        """It is read for each request."""
        peers = FakeNodes([node("a")])
        assert list(JoinedNodes(peers, FakeNodes()).snapshots()) == list(peers.snapshots())
        assert list(JoinedNodes(FakeNodes(), peers).snapshots()) == list(peers.snapshots())

    async def test_a_change_of_any_port_wakes(self) -> None:
        """And a number of the past is answered at once."""
        ports = FakeNodes([node("a")]), FakeNodes([node("b")])
        joined = JoinedNodes(*ports)
        for port in ports:
            since = joined.changes
            wait = asyncio.ensure_future(joined.wait_for_change(since))
            await asyncio.sleep(0)
            assert not wait.done()
            port.set_state(port.snapshots()[0].name, NodeState.DOWN, "It is gone.")
            async with asyncio.timeout(30):
                assert await wait > since
                assert await joined.wait_for_change(since) > since

    async def test_commands_reach_the_port_of_the_node(self) -> None:
        """Reports too."""
        peers, members = FakeNodes([node("a")]), FakeNodes([node("b")])
        joined = JoinedNodes(peers, members)
        joined.report_failure("a")
        joined.report_failure("nowhere")
        await joined.pull("b", "owner/model")
        assert [command.node for command in members.commands] == ["b"]
        assert peers.commands == []
        with pytest.raises(NodeUnreachableError, match="'nowhere'"):
            await joined.load("nowhere", "m", None)
        with pytest.raises(NodeUnreachableError, match="'nowhere'"):
            await joined.unload("nowhere", "m")
        await joined.close()
