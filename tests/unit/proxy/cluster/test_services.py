"""What a front's proxy needs."""

from tests.support.node_values import FixedView, snapshot

from gglib.proxy.cluster.services import ClusterPorts
from gglib.testing import FakeCatalog, FakeNodes, FakeRuntime


def test_nodes_come_and_go() -> None:
    """The settings change while the server runs."""
    nodes = FakeNodes()
    ports = ClusterPorts(
        nodes=nodes,
        view=FixedView(),
        own_runtime=FakeRuntime(),
        own_catalog=FakeCatalog(),
        note_conversation=lambda *_: None,
        note_response=lambda _: None,
    )
    found = [(ports.has_nodes, ports.response_note() is None)]
    nodes.put(snapshot("a"))
    found.append((ports.has_nodes, ports.response_note() is None))
    assert found == [(False, True), (True, False)]
