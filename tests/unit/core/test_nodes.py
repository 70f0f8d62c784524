"""What follows from the snapshot of a node."""

import pytest

from gglib.core.models import ModelSummary
from gglib.core.nodes import ModelContent, NodeModel, NodeSnapshot, NodeState


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
