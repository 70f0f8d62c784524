"""Names as users type them: a unique beginning is enough."""

import re

import pytest

from gglib.cli.models.typed_names import (
    complete_for_request,
    completed_for_request,
    find_by_prefix,
    find_typed,
    require_one,
    require_typed_model,
)
from gglib.core.errors import ModelNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.profiles import Profile
from gglib.testing import FakeCatalog

MODELS = [
    ModelSummary(id=1, name="SmolLM2-135M", aliases=("gpt-4",)),
    ModelSummary(id=2, name="qwen-4b"),
    ModelSummary(id=3, name="qwen-4b-coder", aliases=("coder",)),
    ModelSummary(id=4, name="7b-chat"),
    ModelSummary(id=5, name="M\u00e9lodie"),
    ModelSummary(id=6, name="fast-1b"),
]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("s", 1),
        ("smol", 1),
        ("SMOLLM2-135", 1),
        ("gpt", 1),
        ("cod", 3),
        ("qwen-4b-", 3),
        ("7b", 4),
        ("me\u0301l", 5),
        ("7", None),
        ("LM2", None),
        ("", None),
        ("smollm2-135m-instruct", None),
    ],
)
def test_a_unique_prefix_of_a_name_or_an_alias(typed: str, found: int | None) -> None:
    """Case and the form of accents do not count; a number is an id only."""
    model = find_by_prefix(typed, MODELS)
    assert (model.id if model else None) == found


def test_an_ambiguous_prefix_names_the_candidates() -> None:
    """A model that has several such names is one candidate."""
    with pytest.raises(ModelNotFoundError, match=r"'qw' is ambiguous: use one of qwen-4b, qwen-4b-coder\."):
        find_by_prefix("qw", MODELS)
    twice = ModelSummary(id=1, name="llama-1", aliases=("llama-2",))
    assert find_by_prefix("llama", [twice]) == twice


def test_many_candidates_are_counted() -> None:
    """The message stays a sentence, and names the command that lists all."""
    many = [ModelSummary(id=number, name=f"m{number:02}") for number in range(12)]
    with pytest.raises(ModelNotFoundError, match=r"m00, .*, m09 and 2 more \('gglib list'\)\.$"):
        find_by_prefix("m", many)


@pytest.mark.parametrize(
    ("typed", "found"),
    [("qwen-4b", 2), ("QWEN-4B", 2), ("3", 3), ("fast", None), ("FAST", None), ("fas", 6), ("gpt-", 1)],
)
def test_what_requests_mean_precedes_a_prefix(typed: str, found: int | None) -> None:
    """Whole names, numbers and alias lists; a pattern is no name."""
    model = find_typed(typed, MODELS, {"fast": ("qwen-4b",), "gpt-*": ("qwen-4b",)})
    assert (model.id if model else None) == found


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("fast", "'fast' is an alias list: use one of its models, qwen-4b."),
        ("gpt-5", "'gpt-5' matches the alias 'gpt-*': use one of its models, qwen-4b."),
        ("codr", "Did you mean coder"),
        ("gone", "'gone' is not in the catalogue"),
    ],
)
def test_an_operation_on_one_model_refuses_other_names(typed: str, sentence: str) -> None:
    """With the names to use instead."""
    aliases = {"fast": ("none", "qwen-4b"), "gpt-*": ("qwen-4b",), "gone": ("none",)}
    assert require_one("qwen-4b-c", MODELS, aliases).id == 3
    with pytest.raises(ModelNotFoundError, match=re.escape(sentence)):
        require_one(typed, MODELS, aliases)


PROFILES = [Profile(name="precise", model_id=1), Profile(name="brief")]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("smol", "SmolLM2-135M"),
        ("smol:precise", "SmolLM2-135M:precise"),
        ("smol:brief", "SmolLM2-135M:brief"),
        ("cod:precise", "cod:precise"),
        ("none", "none"),
        (":precise", ":precise"),
    ],
)
def test_a_model_with_a_profile_may_be_a_prefix(typed: str, name: str) -> None:
    """The profile is whole; an unknown one leaves the name as it is, for the error."""
    assert completed_for_request(typed, MODELS, PROFILES) == name


async def test_the_one_model_of_a_typed_name() -> None:
    """Without one, the error has similar names."""
    catalog = FakeCatalog(MODELS)
    assert (await require_typed_model(catalog, "smo", {})).id == 1
    assert (await require_typed_model(catalog, "4", {})).id == 4
    with pytest.raises(ModelNotFoundError, match="Did you mean coder"):
        await require_typed_model(catalog, "codr", {})


async def test_aliases_and_patterns_precede_a_prefix_for_requests() -> None:
    """As on the server."""
    catalog = FakeCatalog(MODELS)
    aliases = {"fast": ("qwen-4b",), "sm*": ("qwen-4b",)}
    assert await complete_for_request(catalog, "fast", aliases) == "fast"
    assert await complete_for_request(catalog, "smol", aliases) == "smol"
    assert await complete_for_request(catalog, "fas", aliases) == "fast-1b"
    assert await complete_for_request(catalog, "none", aliases) == "none"
