"""Tests of profiles: resolution and listing."""

import pytest

from gglib.core.errors import ModelNotFoundError, ProfileNotFoundError
from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.core.profiles import (
    Profile,
    find_profile,
    find_profiled,
    listed_profiles,
    profile_not_found,
)

CHAT = ModelSummary(id=1, name="chat", aliases=("gpt", "chat:work"))
OTHER = ModelSummary(id=2, name="llama3:8b")
EMBED = ModelSummary(id=3, name="embed", capabilities=ModelCapabilities(embedding=True))
MODELS = [CHAT, OTHER, EMBED]
OWN = Profile(name="fast", model_id=1, system="own")
SHARED = Profile(name="Fast", system="shared")
WORK = Profile(name="work")
PROFILES = [SHARED, WORK, OWN]


@pytest.mark.parametrize(
    ("name", "model", "system"),
    [
        ("chat:fast", "chat", "own"),
        ("gpt:FAST", "chat", "own"),
        ("1:fast", "chat", "own"),
        ("CHAT:fast", "chat", "own"),
        ("llama3:8b:fast", "llama3:8b", "shared"),
        ("embed:fast", "embed", "shared"),
    ],
)
def test_resolves_a_name_at_the_last_colon(name: str, model: str, system: str) -> None:
    """The model may be given by any of its names; its own profile takes precedence over that of all models."""
    found = find_profiled(name, MODELS, PROFILES)
    assert found is not None
    assert (found.model.name, found.profile.system) == (model, system)


@pytest.mark.parametrize("name", ["chat", "chat:", ":fast", "chat:slow", "none:fast", "chat:fast:fast"])
def test_does_not_resolve_other_names(name: str) -> None:
    """Neither without a model, nor without a profile."""
    assert find_profiled(name, MODELS, PROFILES) is None


def test_finds_a_profile_of_exactly_one_model_or_of_all() -> None:
    """None means the profile of all models."""
    assert find_profile("FAST", 1, PROFILES) is OWN
    assert find_profile("fast", None, PROFILES) is SHARED
    assert find_profile("fast", 2, PROFILES) is None


def test_lists_profiles_that_a_client_can_use() -> None:
    """Hidden: a name that a model has, a replaced profile, and profiles of all models for an embedder."""
    assert [found.name for found in listed_profiles(MODELS, PROFILES)] == [
        *("chat:fast", "llama3:8b:Fast", "llama3:8b:work"),
    ]
    own = Profile(name="short", model_id=3)
    assert [found.name for found in listed_profiles([EMBED], [own])] == ["embed:short"]
    assert listed_profiles(MODELS, []) == []


def test_an_unknown_profile_names_those_of_the_model() -> None:
    """The message has the model's own profiles, then those of all models."""
    error = profile_not_found("gpt:slow", MODELS, PROFILES)
    assert isinstance(error, ProfileNotFoundError)
    assert error.profiles == ("fast", "work")
    assert str(error) == "Model 'chat' has no profile 'slow'. It has fast, work."


@pytest.mark.parametrize(
    ("name", "profiles"), [("chat:slow", []), ("none:fast", PROFILES), (":fast", PROFILES)]
)
def test_other_names_get_the_usual_error(name: str, profiles: list[Profile]) -> None:
    """A model without profiles, and no model: the error with similar names."""
    error = profile_not_found(name, MODELS, profiles)
    assert type(error) is ModelNotFoundError
