"""Alias lists: which models an alias stands for, and how it is listed."""

from dataclasses import replace

import pytest

from gglib.core.models import ModelSummary
from gglib.proxy.names.aliases import Alias, AliasLists

CODER = ModelSummary(id=1, name="Org/Coder", aliases=("coder",), description="codes", trained_context=512)
TINY = ModelSummary(id=2, name="tiny")
LISTS = AliasLists({"fast": ["gone", "tiny", "coder"], "lost": ("gone",), "tiny": ("coder",)})


@pytest.mark.parametrize("name", ["fast", "FAST", "fast:latest"])
def test_an_alias_is_found_as_a_model_is(name: str) -> None:
    """Ignoring case, and with the tag of Ollama's clients; the order is that of the setting."""
    assert LISTS.find(name) == ("gone", "tiny", "coder")


@pytest.mark.parametrize("name", ["fas", "", "-1", "0", "1"])
def test_other_names_are_no_alias(name: str) -> None:
    """An alias has no number."""
    assert LISTS.find(name) == ()
    assert AliasLists({}).find(name) == ()


def test_aliases_are_listed_with_the_models_that_they_stand_for() -> None:
    """Aliases without a model, and those that are names of the catalogue, are left out."""
    assert LISTS.listed([CODER, TINY]) == (Alias("fast", (TINY, CODER)),)
    assert LISTS.listed([CODER]) == (Alias("fast", (CODER,)), Alias("tiny", (CODER,)))
    assert LISTS.listed([]) == ()


def test_a_name_means_one_model_or_those_of_an_alias() -> None:
    """A name of the catalogue means its model, even if an alias has the same spelling."""
    assert LISTS.models_of("coder", [CODER, TINY]) == (CODER,)
    assert LISTS.models_of("tiny", [CODER, TINY]) == (TINY,)
    assert LISTS.models_of("fast", [CODER, TINY]) == (TINY, CODER)
    assert LISTS.models_of("lost", [CODER]) == ()


def test_one_alias_is_found_only_if_it_is_listed() -> None:
    """A name of the catalogue is no alias there."""
    assert LISTS.find_listed("Fast", [CODER, TINY]) == Alias("fast", (TINY, CODER))
    assert LISTS.find_listed("tiny", [CODER, TINY]) is None
    assert LISTS.find_listed("other", [CODER, TINY]) is None


def test_an_alias_looks_like_its_first_model() -> None:
    """The description has the order of preference."""
    assert Alias("fast", (CODER, TINY)).as_model() == replace(
        CODER, id=-1, name="fast", aliases=(), description="The first that can run of: Org/Coder, tiny."
    )


def test_errors_suggest_listed_aliases() -> None:
    """A key that may use no model of an alias does not learn its name."""
    assert [model.name for model in LISTS.suggested([CODER, TINY])] == ["Org/Coder", "tiny", "fast"]
    assert LISTS.suggested([]) == []
