"""Warnings about names of models in the settings."""

from pathlib import Path
from typing import Any

from gglib.app.settings import Settings
from gglib.app.settings.name_checks import name_warnings
from gglib.core.api_keys import ApiKey
from gglib.core.models import ModelSummary
from gglib.core.profiles import Profile

MODELS = [ModelSummary(id=1, name="chat", aliases=("c",)), ModelSummary(id=2, name="embed")]
PROFILES = [Profile(name="precise", model_id=1)]


def warnings(**settings: Any) -> list[str]:
    """Return the warnings about these settings."""
    return list(name_warnings(Settings(home=Path("/"), **settings), MODELS, PROFILES))


def test_known_names_cause_no_warning() -> None:
    """Aliases count as names, also those of the settings."""
    assert warnings() == []
    assert warnings(preload=("c", "fast"), default_model="FAST", aliases={"fast": ("chat", "embed")}) == []


def test_names_that_a_pattern_matches_are_known() -> None:
    """A pattern that matches the name of a model is no mistake: the model keeps its name."""
    aliases = {"*-4": ("chat",), "ch*": ("embed",), "*": ("gone",)}
    assert warnings(preload=("gpt-4",), default_model="GPT-4", aliases=aliases) == [
        "Setting 'aliases', '*': Model 'gone' is not in the catalogue. It has chat, embed."
    ]
    assert warnings(preload=("gpt-4",), aliases={"gpt-5*": ("chat",)}) == [
        "Setting 'preload': Model 'gpt-4' is not in the catalogue. It has chat, embed."
    ]


def test_unknown_names_are_listed_with_similar_ones() -> None:
    """The sentence has the setting, the name and what it may mean."""
    found = warnings(preload=("chatt", "embed"), default_model="fas", aliases={"fast": ("chat",)})
    assert found == [
        "Setting 'preload': Model 'chatt' is not in the catalogue. Did you mean chat?",
        "Setting 'default_model': Model 'fas' is not in the catalogue. Did you mean fast?",
    ]


def test_a_shadowed_alias_is_suggested_once() -> None:
    """It is the name of a model."""
    found = warnings(default_model="gone", aliases={"chat": ("embed",)})
    assert found[0].endswith("It has chat, embed.")


def test_members_of_an_alias_and_shadowed_aliases_are_checked() -> None:
    """A name of the catalogue takes precedence over an alias."""
    assert warnings(aliases={"c": ("embed", "embe")}) == [
        "Setting 'aliases': 'c' is the name of a model, so the alias is ignored.",
        "Setting 'aliases', 'c': Model 'embe' is not in the catalogue. Did you mean embed?",
    ]


def keys(*patterns: str) -> dict[str, ApiKey]:
    """Return the setting of one key with patterns."""
    return {"bob": ApiKey(key="SECRET-key", models=patterns)}


def test_patterns_that_match_a_model_cause_no_warning() -> None:
    """By a name or an alias, in any case; an admin key and a key for all models have no patterns to check."""
    assert warnings(api_keys=keys("CH*", "c", "?mbed")) == []
    assert warnings(api_keys={"root": ApiKey.admin("SECRET-key"), **keys("*")}) == []


def test_patterns_of_a_key_that_match_no_model_are_named() -> None:
    """With the name of the key and never the key; a plain name has suggestions."""
    assert warnings(api_keys=keys("chta*", "embd", "embed"), aliases={"fast": ("chat",)}) == [
        "Setting 'api_keys', 'models' of 'bob': the pattern 'chta*' matches no model.",
        "Setting 'api_keys', 'models' of 'bob': Model 'embd' is not in the catalogue. Did you mean embed?",
    ]


def test_a_pattern_for_an_alias_list_is_explained() -> None:
    """The patterns are for models of the catalogue, so the key could not use the list."""
    assert warnings(api_keys=keys("fast"), aliases={"fast": ("chat",)}) == [
        "Setting 'api_keys', 'models' of 'bob': 'fast' matches only names of [aliases]: name their models instead."
    ]


def test_an_empty_catalogue_causes_no_warning_about_patterns() -> None:
    """Keys may be set before the first model is pulled."""
    assert list(name_warnings(Settings(home=Path("/"), api_keys=keys("chat*")), [], [])) == []


def test_a_profile_can_be_the_default_only() -> None:
    """It changes requests, so it has no meaning for a load, and an alias list has models."""
    assert warnings(default_model="c:precise") == []
    assert warnings(default_model="c:slow") == [
        "Setting 'default_model': Model 'chat' has no profile 'slow'. It has precise."
    ]
    reason = "'c:precise' is a model with a profile, which only requests can use: set 'chat'."
    assert warnings(preload=("c:precise",), aliases={"fast": ("c:precise",)}) == [
        f"Setting 'preload': {reason}",
        f"Setting 'aliases', 'fast': {reason}",
    ]
