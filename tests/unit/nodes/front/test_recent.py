"""A mapping that keeps its last used entries."""

from gglib.nodes.front.recent import Recent


def test_the_entry_that_was_set_longest_ago_goes() -> None:
    """Setting it again keeps it."""
    recent = Recent[int](2)
    recent.set("a", 1)
    recent.set("b", 2)
    recent.set("a", 3)
    recent.set("c", 4)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (3, None, 4)
    assert len(recent) == 2


def test_a_value_can_be_taken_out() -> None:
    """Once."""
    recent = Recent[int](2)
    recent.set("a", 1)
    assert (recent.pop("a"), recent.pop("a"), recent.get("a"), recent.get(None)) == (1, None, None, None)
