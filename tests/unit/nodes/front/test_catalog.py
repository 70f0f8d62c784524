"""The catalogue of a front."""

from tests.support.node_values import snapshot

from gglib.core.models import NO_FILE, ModelSummary
from gglib.core.nodes import NodeState
from gglib.nodes.front.catalog import FrontCatalog
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.own_node import OwnNode
from gglib.testing import FakeCatalog, FakeNodes, FakeRuntime


async def new_catalog(nodes: FakeNodes, *own: ModelSummary) -> FrontCatalog:
    """Return a catalogue over models of this machine and the nodes."""
    catalog = FakeCatalog(own)
    this = OwnNode("this", FakeRuntime(), catalog, max_models=1)
    await this.refresh()
    return FrontCatalog(catalog, Cluster(nodes, this))


async def test_own_models_come_first_and_names_once() -> None:
    """A node's model of the same name is the same model, or is not served under that name."""
    nodes = FakeNodes([snapshot("a", "m", "n")])
    catalog = await new_catalog(nodes, ModelSummary(id=1, name="m"))
    assert [model.name for model in await catalog.list_models()] == ["m", "n"]


async def test_models_of_a_node_that_is_down_are_not_listed_but_known() -> None:
    """A request for one waits for the node."""
    nodes = FakeNodes([snapshot("a", "n", state=NodeState.DOWN)])
    catalog = await new_catalog(nodes)
    assert await catalog.list_models() == []
    found = await catalog.resolve_model("n")
    assert found is not None
    assert found.name == "n"


async def test_a_name_resolves_here_first() -> None:
    """Then at the nodes."""
    nodes = FakeNodes([snapshot("a", "m", "n")])
    catalog = await new_catalog(nodes, ModelSummary(id=7, name="m"))
    own, other = await catalog.resolve_model("m"), await catalog.resolve_model("N")
    assert own is not None
    assert own.id == 7
    assert other is not None
    assert other.id < 0
    assert await catalog.resolve_model("x") is None


async def test_a_launch_of_a_node_s_model_needs_no_file_here() -> None:
    """The node reads it."""
    catalog = await new_catalog(FakeNodes([snapshot("a", "n")]), ModelSummary(id=1, name="m"))
    spec = await catalog.resolve_for_launch("n")
    assert spec is not None
    assert (spec.model_name, spec.path) == ("n", NO_FILE)
    assert await catalog.resolve_for_launch("x") is None
    own = await catalog.resolve_for_launch("m")
    assert own is not None
    assert own.model_id == 1
