"""What follows from the snapshot of a node."""

import pytest
from tests.support.node_values import snapshot

from gglib.core.models import ModelSummary
from gglib.core.nodes import ModelContent, NameConflict, NodeModel, NodeSnapshot, NodeState


@pytest.mark.parametrize("state", NodeState)
def test_only_a_ready_node_takes_requests(state: NodeState) -> None:
    """One that is not known yet does not."""
    assert NodeSnapshot(name="box", url="http://box", state=state).takes_requests is (
        state is NodeState.READY
    )


def test_a_model_has_its_name_at_the_node() -> None:
    """That of its summary."""
    model = NodeModel(summary=ModelSummary(id=1, name="small"), content=ModelContent(None, None))
    assert model.name == "small"


@pytest.mark.parametrize("state", list(NodeState))
def test_only_a_node_that_answers_has_models_in_memory(state: NodeState) -> None:
    """What was in memory of another one when it was last seen says nothing about now."""
    node = snapshot("a", "m", state=state, ready=("m",))
    assert node.answers is (state in {NodeState.READY, NodeState.DRAINING})
    assert [resident.model_name for resident in node.residents] == (["m"] if node.answers else [])


def test_a_conflict_names_the_command_that_ends_it() -> None:
    """As it can be typed, also for names with spaces or quotes."""
    conflict = NameConflict(name="my m", served=("a", "b"), others=("c",))
    assert conflict.command == "gglib set --name NEW 'my m'"
    assert str(conflict) == (
        "'my m' is another file on c than on a and b, which serve it: give it another name there with "
        "\"gglib set --name NEW 'my m'\"."
    )
