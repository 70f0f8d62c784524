"""What the user sets for the choice of nodes."""

from gglib.nodes.front.rules import FrontRules


def test_a_model_without_an_entry_runs_on_all_nodes() -> None:
    """Names ignore case."""
    rules = FrontRules(model_nodes={"qwen": ("gpu*",)})
    assert rules.nodes_of("Qwen") == ("gpu*",)
    assert rules.nodes_of("other") == ()
    assert FrontRules().nodes_of("qwen") == ()
    assert not rules.pulls_models
