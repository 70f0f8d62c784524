"""The fields of a model in ``list`` and ``show``."""

import pytest

from gglib.cli.views.model_list import shown_state


@pytest.mark.parametrize(
    ("own", "states", "shown"),
    [
        ("ready", ["loading"], "ready"),
        (None, ["loading", "ready"], "ready"),
        (None, [None, "loading"], "loading"),
        (None, [None], None),
        (None, [], None),
    ],
)
def test_a_model_has_the_best_state_of_its_nodes(
    own: str | None, states: list[str | None], shown: str | None
) -> None:
    """That of this machine first."""
    nodes = [{"node": "a", "name": "m", "state": state} for state in states]
    assert shown_state({"state": own, "nodes": nodes}) == shown


def test_an_older_server_has_no_nodes() -> None:
    """Its own state is all there is."""
    assert shown_state({"state": None}) is None
