"""Warnings about names of models in the settings."""

from pathlib import Path
from typing import Any

from gglib.app.name_checks import name_warnings
from gglib.app.settings import Settings
from gglib.core.models import ModelSummary

MODELS = [ModelSummary(id=1, name="chat", aliases=("c",)), ModelSummary(id=2, name="embed")]


def warnings(**settings: Any) -> list[str]:
    """Return the warnings about these settings."""
    return list(name_warnings(Settings(home=Path("/"), **settings), MODELS))


def test_known_names_cause_no_warning() -> None:
    """Aliases count as names, also those of the settings."""
    assert warnings() == []
    assert warnings(preload=("c", "fast"), default_model="FAST", aliases={"fast": ("chat", "embed")}) == []


def test_unknown_names_are_listed_with_similar_ones() -> None:
    """The sentence has the setting, the name and what it may mean."""
    found = warnings(preload=("chatt", "embed"), default_model="fas", aliases={"fast": ("chat",)})
    assert found == [
        "Setting 'preload': Model 'chatt' is not in the catalogue. Did you mean chat?",
        "Setting 'default_model': Model 'fas' is not in the catalogue. Did you mean fast?",
    ]


def test_members_of_an_alias_and_shadowed_aliases_are_checked() -> None:
    """A name of the catalogue takes precedence over an alias."""
    assert warnings(aliases={"c": ("embed", "embe")}) == [
        "Setting 'aliases': 'c' is the name of a model, so the alias is ignored.",
        "Setting 'aliases', 'c': Model 'embe' is not in the catalogue. Did you mean embed?",
    ]
