"""The list of all aliases, and the alias lists of each model."""

import pytest

from gglib.core.defaults import IN_MEMORY_ALIAS
from gglib.core.models import ModelSummary
from gglib.proxy.names.alias_table import AliasRow, alias_table, lists_by_model
from gglib.proxy.names.aliases import AliasLists

CHAT = ModelSummary(id=1, name="chat", aliases=("c", "gpt-4"))
CODER = ModelSummary(id=2, name="Org/Coder")
MODELS = (CHAT, CODER)
BUILT_IN = AliasRow(name=IN_MEMORY_ALIAS, models=(), source="built-in")


def test_aliases_of_models_come_before_those_of_the_settings() -> None:
    """Each in their own order; members have their names in the catalogue, where they are in it."""
    lists = AliasLists({"fast": ["gone", "org/coder", "c"], "gpt-*": ["1"], "C": ["Org/Coder"]})
    assert alias_table(MODELS, lists) == [
        AliasRow(name="c", models=("chat",), source="catalogue"),
        AliasRow(name="gpt-4", models=("chat",), source="catalogue"),
        AliasRow(name="fast", models=("gone", "Org/Coder", "chat"), missing=("gone",), source="config"),
        AliasRow(name="gpt-*", models=("chat",), source="config"),
        AliasRow(name="C", models=("Org/Coder",), source="config", is_ignored=True),
        BUILT_IN,
    ]
    assert alias_table((), AliasLists({})) == [BUILT_IN]


@pytest.mark.parametrize(
    ("pattern", "is_shown"),
    [
        ("claude-*", False),
        ("Claude-*", False),
        ("claude*", False),
        ("*", False),
        ("*-*", False),
        ("claude-**", False),
        ("claude-opus-*", True),
        ("*-4", True),
        ("gpt-*", True),
        ("claude-x", True),
    ],
)
def test_the_built_in_alias_is_shown_unless_a_pattern_replaces_all_of_it(
    pattern: str, *, is_shown: bool
) -> None:
    """A pattern for some of its names leaves the others."""
    lists = AliasLists({pattern: ["chat"]})
    assert (BUILT_IN in alias_table(MODELS, lists)) is is_shown
    assert lists.is_in_memory_alias("claude-any-name") is is_shown


def test_a_model_has_the_lists_that_name_it() -> None:
    """By any of its names, once; not those that the catalogue hides."""
    lists = AliasLists({"fast": ["gone", "c", "chat", "Org/Coder"], "gpt-*": ["1"], "C": ["Org/Coder"]})
    assert lists_by_model(MODELS, lists) == {1: ("fast", "gpt-*"), 2: ("fast",)}
    assert lists_by_model(MODELS, AliasLists({})) == {1: (), 2: ()}
