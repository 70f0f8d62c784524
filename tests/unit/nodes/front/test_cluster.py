"""What the front knows of all nodes."""

from dataclasses import replace

from tests.support.node_values import node_model, snapshot

from gglib.core.nodes import ClusterOverview, NodeState
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.own_node import OwnNode
from gglib.nodes.placement import Choice, NoNode, PlacementRequest
from gglib.testing import FakeCatalog, FakeNodes, FakeRuntime


def new_cluster(nodes: FakeNodes) -> Cluster:
    """Return a cluster whose own machine has no models."""
    own = OwnNode("this", FakeRuntime(), FakeCatalog(), max_models=1, clock=lambda: 0.0)
    return Cluster(nodes, own, clock=lambda: 0.0)


def request(cluster: Cluster, name: str) -> PlacementRequest:
    """Return a request for a model that a node has."""
    model = cluster.model(name)
    assert model is not None
    return PlacementRequest(model=name, copies=model.copies, context=8192)


def test_a_model_is_found_at_all_its_nodes() -> None:
    """Under its name."""
    cluster = new_cluster(FakeNodes([snapshot("a", "m"), snapshot("b", "m", "n")]))
    model = cluster.model("m")
    assert model is not None
    assert set(model.copies) == {"a", "b"}
    assert cluster.model("other") is None


def test_a_node_with_the_model_in_memory_is_chosen() -> None:
    """And the choice says why."""
    cluster = new_cluster(FakeNodes([snapshot("a", "m"), snapshot("b", "m", ready=("m",))]))
    choice = cluster.choose(request(cluster, "m"))
    assert isinstance(choice, Choice)
    assert choice.node == "b"
    assert "ready" in choice.reason


def test_changes_of_the_nodes_are_seen_at_the_next_question() -> None:
    """Without a task that copies them."""
    nodes = FakeNodes([snapshot("a", "m")])
    cluster = new_cluster(nodes)
    assert cluster.ready_nodes == {"this", "a"}
    found = request(cluster, "m")
    nodes.set_state("a", NodeState.DOWN)
    assert cluster.ready_nodes == {"this"}
    assert isinstance(cluster.choose(found), NoNode)
    nodes.remove("a")
    assert cluster.snapshot("a") is None
    assert cluster.model("m") is None


def test_requests_since_the_last_snapshot_count() -> None:
    """Until the node itself reports them."""
    nodes = FakeNodes([snapshot("a", "m", ready=("m",)), snapshot("b", "m", ready=("m",))])
    cluster = new_cluster(nodes)
    chosen = []
    for _ in range(4):
        choice = cluster.choose(request(cluster, "m"))
        assert isinstance(choice, Choice)
        cluster.sent.started(choice.node, choice.model_name)
        chosen.append(choice.node)
    assert sorted(chosen) == ["a", "a", "b", "b"]


def test_a_snapshot_without_a_new_report_keeps_the_counts() -> None:
    """A change of the state alone says nothing about requests."""
    nodes = FakeNodes([snapshot("a", "m", ready=("m",), seen_at_s=1.0)])
    cluster = new_cluster(nodes)
    assert cluster.model("m") is not None
    cluster.sent.started("a", "m")
    nodes.put(replace(nodes.snapshots()[0], failure="slow"))
    assert cluster.model("m") is not None
    assert cluster.sent.since_snapshot("a", "m") == 1
    nodes.put(replace(nodes.snapshots()[0], seen_at_s=2.0))
    assert cluster.model("m") is not None
    assert cluster.sent.since_snapshot("a", "m") == 0


def test_the_overview_has_this_machine_first() -> None:
    """And the front's requests in progress at each node, and the names with different files."""
    nodes = FakeNodes([snapshot("a", "m"), snapshot("b")])
    nodes.put(replace(snapshot("b"), models=(node_model("m", sha256="other"),)))
    cluster = new_cluster(nodes)
    cluster.sent.started("a", "m")
    overview = cluster.overview()
    assert [node.name for node in overview.nodes] == ["this", "a", "b"]
    assert overview.sent == {"this": 0, "a": 1, "b": 0}
    assert [(conflict.name, conflict.others) for conflict in overview.conflicts] == [("m", ("b",))]


def test_copies_say_where_a_model_is_in_memory() -> None:
    """Not at a node that does not answer: what is remembered of it may be over."""
    nodes = FakeNodes([snapshot("a", "m", ready=("m",)), snapshot("b", "m")])
    cluster = new_cluster(nodes)
    assert [(copy.node, copy.state) for copy in cluster.copies("m")] == [("a", "ready"), ("b", None)]
    nodes.set_state("a", NodeState.DOWN)
    assert [(copy.node, copy.state) for copy in cluster.copies("m")] == [("a", None), ("b", None)]
    assert cluster.copies("other") == ()


def test_without_nodes_there_is_nothing_to_show() -> None:
    """Not even this machine: its state is not kept then."""
    cluster = new_cluster(FakeNodes())
    assert cluster.overview() == ClusterOverview()
    assert cluster.copies("m") == ()
