"""Names in Ollama's requests."""

import pytest

from gglib.core.models import ModelSummary
from gglib.core.profiles import Profile
from gglib.proxy.dialects.ollama.names import hub_target, new_profile_name, profile_named, without_latest
from gglib.proxy.errors import BadRequestError

MODELS = [ModelSummary(id=1, name="llama", aliases=("l3:8b",)), ModelSummary(id=2, name="qwen")]


@pytest.mark.parametrize(
    ("name", "bare"),
    [("m", "m"), ("m:latest", "m"), ("m:Latest", "m"), ("m:8b", "m:8b"), ("m:p:latest", "m:p"), ("", "")],
)
def test_without_latest(name: str, bare: str) -> None:
    """Other tags stay."""
    assert without_latest(name) == bare


def test_a_bare_profile_name() -> None:
    """Of exactly one model; profiles of all models, and of removed ones, do not count."""
    profiles = [
        Profile(name="Mario", model_id=1),
        Profile(name="both", model_id=1),
        Profile(name="both", model_id=2),
        Profile(name="all"),
        Profile(name="gone", model_id=9),
    ]
    names = {name: profile_named(name, MODELS, profiles) for name in ("mario", "both", "all", "gone", "x")}
    assert names == {"mario": "llama:Mario", "both": None, "all": None, "gone": None, "x": None}


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("mario", "mario"),
        ("mario:latest", "mario"),
        ("llama:mario", "mario"),
        ("LLAMA:mario:latest", "mario"),
        ("l3:8b:mario", "mario"),
        ("other:mario", "other:mario"),
    ],
)
def test_new_profile_names(name: str, profile: str) -> None:
    """Without the model's own name; another one is refused as the name of a profile."""
    assert new_profile_name(name, MODELS[0]) == profile


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("hf.co/owner/name", "owner/name"),
        ("hf.co/owner/name:Q4_K_M", "owner/name:Q4_K_M"),
        ("HF.co/owner/name:latest", "owner/name"),
        ("huggingface.co/owner/name", "owner/name"),
        ("owner/name:Q8_0", "owner/name:Q8_0"),
        ("https://host/x.gguf", "https://host/x.gguf"),
    ],
)
def test_hub_targets(name: str, target: str) -> None:
    """As for ``gglib pull``."""
    assert hub_target(name) == target


@pytest.mark.parametrize(
    ("name", "model"), [("llama3.2", "llama3.2"), ("llama3.2:3b", "llama3.2"), ("a b", "'a b'")]
)
def test_names_of_ollamas_library(name: str, model: str) -> None:
    """The error proposes a search, with the name quoted for a shell."""
    with pytest.raises(BadRequestError, match="is a name of Ollama's library") as refused:
        hub_target(name)
    assert f"gglib search {model}" in str(refused.value)
