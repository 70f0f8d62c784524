"""On which node a model is loaded or unloaded."""

import pytest
from tests.support.node_values import FixedView, snapshot

from gglib.core.errors import ModelNotOnNodeError, NodeNeededError, NodeNotFoundError
from gglib.core.nodes import ClusterOverview, ModelCopy, NodeState
from gglib.proxy.cluster.copies import Place, Places


def copy(node: str, state: str | None = None, *, name: str = "m") -> ModelCopy:
    """Return a copy of a model."""
    return ModelCopy(node=node, model_name=name, state=state)


def places(
    *copies: ModelCopy, node: str | None = None, down: tuple[str, ...] = (), in_memory: bool = False
) -> Places:
    """Return the places of a model ``m`` among this machine and the nodes ``a`` and ``b``."""
    nodes = (snapshot(name, state=NodeState.DOWN if name in down else NodeState.READY) for name in "oab")
    return Places(FixedView(ClusterOverview(nodes=tuple(nodes)), m=copies), node, in_memory=in_memory)


def test_without_nodes_it_is_this_machine() -> None:
    """Whatever its catalogue says: the runtime has the error."""
    found = Places(None, None, in_memory=False)
    assert found.has("m")
    assert found.place("m") == Place("m", None)
    assert places().place("m") == Place("m", None)


def test_a_named_node_is_taken() -> None:
    """With the model's name there."""
    found = places(copy("o"), copy("b", name="n"), node="b")
    assert found.has("m")
    assert found.place("m") == Place("n", "b")


def test_this_machine_can_be_named() -> None:
    """It has a name among the nodes."""
    assert places(copy("o", name="own"), copy("b"), node="o").place("m") == Place("own", None)


@pytest.mark.parametrize("view", [FixedView(), None])
def test_an_unknown_node_is_refused(view: FixedView | None) -> None:
    """With the command that lists them."""
    with pytest.raises(
        NodeNotFoundError, match=r"There is no node 'x': list the nodes with 'gglib node list'\."
    ):
        Places(view, "x", in_memory=False)


def test_a_node_without_the_model_is_refused() -> None:
    """The error says where the model is."""
    found = places(copy("a"), node="b")
    assert not found.has("m")
    with pytest.raises(ModelNotOnNodeError, match=r"'m' is not on node 'b': it is on a\."):
        found.place("m")
    with pytest.raises(ModelNotOnNodeError, match=r"'m' is not on node 'b'\."):
        places(node="b").place("m")


def test_this_machine_comes_first() -> None:
    """As without nodes."""
    assert places(copy("o"), copy("a", "ready")).place("m") == Place("m", None)


def test_else_the_only_node_is_taken() -> None:
    """Or the only one that answers."""
    assert places(copy("a")).place("m") == Place("m", "a")
    assert places(copy("a"), copy("b"), down=("a",)).place("m") == Place("m", "b")
    assert places(copy("a"), down=("a",)).place("m") == Place("m", "a"), "the node's own failure is the error"


def test_of_several_nodes_one_must_be_named() -> None:
    """The error names them."""
    with pytest.raises(NodeNeededError, match=r"on several nodes \(a, b\): name one of them with '--node a'"):
        places(copy("a"), copy("b")).place("m")


def test_an_unload_means_the_copy_in_memory() -> None:
    """Also if this machine has the file."""
    assert places(copy("o"), copy("a", "ready"), copy("b"), in_memory=True).place("m") == Place("m", "a")
    assert places(copy("o", "ready"), copy("a", "ready"), in_memory=True).place("m") == Place("m", None)
    assert places(copy("o"), copy("a"), in_memory=True).place("m") == Place("m", None)
    assert places(copy("a"), copy("b"), in_memory=True).place("m") == Place("m", "a"), "it is not in memory"
    with pytest.raises(NodeNeededError):
        places(copy("a", "ready"), copy("b", "ready"), in_memory=True).place("m")
