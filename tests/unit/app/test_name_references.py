"""Settings that name a model that gets another name."""

from pathlib import Path

from gglib.app.settings import Settings
from gglib.app.settings.name_references import lost_references
from gglib.core.api_keys import ApiKey
from gglib.core.models import ModelSummary

BEFORE = ModelSummary(id=1, name="coder", aliases=("code",))
OTHER = ModelSummary(id=2, name="other")
SETTINGS = Settings(
    home=Path("/h"),
    default_model="CODER:precise",
    preload=("other", "coder"),
    aliases={"fast": ("other",), "best": ("coder", "other")},
    model_nodes={"coder": ("gpu*",)},
    api_keys={
        "all": ApiKey(key="k1", models=("*",)),
        "bob": ApiKey(key="k2", models=("cod*r",)),
        "eve": ApiKey(key="k3", models=("code",)),
    },
)


def test_settings_with_the_old_name_are_found() -> None:
    """Default model with a profile, preload, members of aliases, and the models of a key."""
    after = ModelSummary(id=1, name="new", aliases=("code",))
    assert list(lost_references(SETTINGS, BEFORE, [after, OTHER])) == [
        "default_model",
        "preload",
        "aliases 'best'",
        "model_nodes",
        "api_keys 'bob'",
    ]


def test_names_that_still_mean_the_model_are_not_lost() -> None:
    """It is an alias, differs in case only, or the setting has another name of the model."""
    for after in (
        ModelSummary(id=1, name="new", aliases=("code", "coder")),
        ModelSummary(id=1, name="Coder", aliases=("code",)),
    ):
        assert list(lost_references(SETTINGS, BEFORE, [after, OTHER])) == []


def test_settings_with_the_name_of_a_removed_model_are_found() -> None:
    """Keys are not: a pattern may allow other models, too."""
    assert list(lost_references(SETTINGS, BEFORE, [OTHER])) == [
        "default_model",
        "preload",
        "aliases 'best'",
        "model_nodes",
    ]
    assert list(lost_references(SETTINGS, OTHER, [BEFORE])) == ["preload", "aliases 'fast'", "aliases 'best'"]
    assert list(lost_references(Settings(home=Path("/h"), default_model="x"), BEFORE, [])) == []


def test_a_name_that_another_model_has_now_is_lost() -> None:
    """It leads elsewhere."""
    after = ModelSummary(id=1, name="new")
    taken = ModelSummary(id=3, name="coder")
    assert "preload" in list(lost_references(SETTINGS, BEFORE, [after, taken]))
