"""What a front's proxy needs."""

from tests.support.node_values import snapshot

from gglib.proxy.cluster.services import ClusterPorts
from gglib.testing import FakeCatalog, FakeNodes, FakeRuntime


def test_nodes_come_and_go() -> None:
    """The settings change while the server runs."""
    nodes = FakeNodes()
    ports = ClusterPorts(
        nodes=nodes,
        own_runtime=FakeRuntime(),
        own_catalog=FakeCatalog(),
        note_conversation=lambda *_: None,
    )
    assert not ports.has_nodes
    nodes.put(snapshot("a"))
    assert ports.has_nodes
