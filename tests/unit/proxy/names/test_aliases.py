"""Alias lists: which models an alias stands for, and how it is listed."""

from dataclasses import replace

import pytest

from gglib.core.models import ModelSummary
from gglib.proxy.names.aliases import Alias, AliasLists, members_of

CODER = ModelSummary(id=1, name="Org/Coder", aliases=("coder",), description="codes", trained_context=512)
TINY = ModelSummary(id=2, name="tiny")
LISTS = AliasLists({"fast": ["gone", "tiny", "coder"], "lost": ("gone",), "tiny": ("coder",)})


@pytest.mark.parametrize("name", ["fast", "FAST", "fast:latest"])
def test_an_alias_is_found_as_a_model_is(name: str) -> None:
    """Ignoring case, and with the tag of Ollama's clients; the order is that of the setting."""
    assert LISTS.find(name) == ("fast", ("gone", "tiny", "coder"))


@pytest.mark.parametrize("name", ["fas", "", "-1", "0", "1", "gpt-*", "gpt-4"])
def test_other_names_are_no_alias(name: str) -> None:
    """An alias has no number, and a pattern is no name."""
    assert AliasLists({"fast": ["tiny"], "gpt-*": ["tiny"]}).find(name) is None
    assert AliasLists({}).find(name) is None


PATTERNS = AliasLists(
    {"*": ["a"], "gpt-*": ["b"], "*-mini": ["c"], "gpt-4*": ["d"], "GPT-*": ["e"], "fast": ["f"]}
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("gpt-4o", ["gpt-4*", "gpt-*", "GPT-*", "*"]),
        ("GPT-4O-mini", ["*-mini", "gpt-4*", "gpt-*", "GPT-*", "*"]),
        ("o3-mini", ["*-mini", "*"]),
        ("fast", ["*"]),
        ("other", ["*"]),
    ],
)
def test_the_most_specific_pattern_comes_first(name: str, found: list[str]) -> None:
    """By the number of literal characters, then by the order of the setting."""
    assert [entry.name for entry in PATTERNS.matching(name)] == found


@pytest.mark.parametrize(
    ("lists", "name", "is_one"),
    [
        ({}, "claude-opus-4-8", True),
        ({}, "Claude-X", True),
        ({}, "claude-x:latest", True),
        ({}, "claude", False),
        ({}, "my-claude-x", False),
        ({"gpt-*": ["a"], "fast": ["a"]}, "claude-opus-4-8", True),
        ({"claude-*": ["a"]}, "claude-opus-4-8", False),
        ({"claude-*": ["gone"]}, "claude-opus-4-8", False),
        ({"*": ["a"]}, "claude-opus-4-8", False),
        ({"claude-haiku*": ["a"]}, "claude-opus-4-8", True),
        ({"claude-haiku*": ["a"]}, "claude-haiku-4", False),
        ({"Claude-Opus-4-8": ["a"]}, "claude-opus-4-8", False),
    ],
)
def test_an_entry_overrides_the_alias_of_the_model_in_memory(
    lists: dict[str, list[str]], name: str, *, is_one: bool
) -> None:
    """Only for the names that it matches, also if its models do not exist."""
    assert AliasLists(lists).is_in_memory_alias(name) is is_one


def test_aliases_are_listed_with_the_models_that_they_stand_for() -> None:
    """Aliases without a model, those that are names of the catalogue, and patterns are left out."""
    assert LISTS.listed([CODER, TINY]) == (Alias("fast", (TINY, CODER)),)
    assert LISTS.listed([CODER]) == (Alias("fast", (CODER,)), Alias("tiny", (CODER,)))
    assert LISTS.listed([]) == ()
    assert AliasLists({"gpt-*": ["tiny"]}).listed([TINY]) == ()


def test_an_entry_means_its_models_of_the_catalogue() -> None:
    """In the order of the setting."""
    assert [members_of(entry, [CODER, TINY]) for entry in LISTS.entries] == [(TINY, CODER), (), (CODER,)]


def test_an_alias_looks_like_its_first_model() -> None:
    """The description has the order of preference."""
    assert Alias("fast", (CODER, TINY)).as_model() == replace(
        CODER, id=-1, name="fast", aliases=(), description="The first that can run of: Org/Coder, tiny."
    )


def test_errors_suggest_listed_aliases() -> None:
    """A key that may use no model of an alias does not learn its name."""
    assert [model.name for model in LISTS.suggested([CODER, TINY])] == ["Org/Coder", "tiny", "fast"]
    assert LISTS.suggested([]) == []
