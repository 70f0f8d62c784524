"""Tests of profiles: resolution, listing and validation."""

import pytest

from gglib.core.errors import InvalidSettingError, ModelNotFoundError, ProfileNotFoundError
from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.core.profiles import (
    MAX_FIELDS,
    Profile,
    check_profile,
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
    """The model may be given by any of its names; its own profile wins over that of all models."""
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


VALID = Profile(
    name="a.B_c-9",
    description="Short answers",
    system="Be brief.\n",
    defaults={
        "temperature": 0,
        "top_p": 0.9,
        "top_k": 0,
        "min_p": 0.05,
        "max_tokens": 100,
        "seed": 2**32 - 1,
        "repeat_penalty": 1.1,
        "presence_penalty": -2,
        "frequency_penalty": 2,
        "stop": ["a", "b"],
        "logit_bias": [[15043, False]],
    },
    template_kwargs={"enable_thinking": False},
    strip=("temperature", "system"),
)


def test_accepts_a_valid_profile() -> None:
    """Every option, and a field without one."""
    check_profile(VALID)
    check_profile(Profile(name="x", defaults={"stop": "END"}))


DEEP: object = 1
for _ in range(20):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        (Profile(name=""), "cannot name a profile"),
        (Profile(name="a:b"), "cannot name a profile"),
        (Profile(name="ä"), "cannot name a profile"),
        (Profile(name="x" * 65), "cannot name a profile"),
        (Profile(name="Latest"), "means the model itself"),
        (Profile(name="x", description="a\nb"), "one printable line"),
        (Profile(name="x", system=" "), "1 to"),
        (Profile(name="x", system="a" * 40_000), "1 to"),
        (Profile(name="x", system="\ud800"), "Unicode"),
        (Profile(name="x", defaults={"model": "y"}), "cannot set 'model'"),
        (Profile(name="x", defaults={"system": "y"}), "own option"),
        (Profile(name="x", defaults={"a b": 1}), "cannot be a field"),
        (Profile(name="x", defaults={"temperature": None}), "null"),
        (Profile(name="x", defaults={"temperature": True}), "'temperature' must be a number from 0 to 5"),
        (Profile(name="x", defaults={"temperature": "1"}), "'temperature' must be"),
        (Profile(name="x", defaults={"temperature": 5.1}), "'temperature' must be"),
        (Profile(name="x", defaults={"top_k": 1.5}), "'top_k' must be an integer"),
        (Profile(name="x", defaults={"max_tokens": 0}), "'max_tokens' must be"),
        (Profile(name="x", defaults={"stop": []}), "'stop' must be"),
        (Profile(name="x", defaults={"stop": [""]}), "'stop' must be"),
        (Profile(name="x", defaults={"stop": 3}), "'stop' must be"),
        (Profile(name="x", defaults={"y": float("nan")}), "JSON"),
        (Profile(name="x", defaults={"y": object()}), "JSON"),
        (Profile(name="x", defaults={"y": "\udc00"}), "Unicode"),
        (Profile(name="x", defaults={"y": "z" * 20_000}), "bytes"),
        (Profile(name="x", template_kwargs={"y": {"z": DEEP}}), "nested more than"),
        (Profile(name="x", strip=("messages",)), "cannot strip"),
        (Profile(name="x", strip=('"',)), "cannot strip"),
        (Profile(name="x", strip=tuple(f"f{i}" for i in range(MAX_FIELDS + 1))), "at most 64"),
    ],
)
def test_refuses_an_invalid_profile(profile: Profile, reason: str) -> None:
    """The message names what is wrong, in one sentence."""
    with pytest.raises(InvalidSettingError, match=reason) as caught:
        check_profile(profile)
    assert "\n" not in str(caught.value)
