"""Comparing the settings of a configuration with those in effect."""

from gglib.library.importers.configurations.plan import Leftover, WantedSetting
from gglib.library.importers.configurations.setting_plan import (
    SettingChange,
    SettingPlan,
    plan_settings,
)

CURRENT = {"log_level": "info", "max_models": 1, "preload": []}
NAMES = {"a": "a", "alias": "b"}


def test_what_differs_from_the_default_changes() -> None:
    """A value that is in effect already does not."""
    wanted = (WantedSetting("logLevel", "log_level", "debug"), WantedSetting("groups", "max_models", 1))
    assert plan_settings(wanted, CURRENT, {}, NAMES) == SettingPlan(
        (SettingChange("logLevel", "log_level", "info", "debug"),)
    )


def test_what_is_set_stays() -> None:
    """The command that changes it is shown."""
    wanted = (WantedSetting("groups", "max_models", 3), WantedSetting("logLevel", "log_level", "info"))
    sources = {"max_models": "GGLIB_MAX_MODELS", "log_level": "config.toml"}
    assert plan_settings(wanted, CURRENT, sources, NAMES) == SettingPlan(
        (),
        (
            Leftover(
                "groups",
                "GGLIB_MAX_MODELS sets max_models to 1 already",
                "'gglib config set max_models 3' changes it",
            ),
        ),
    )


def test_only_models_of_the_catalogue_are_preloaded() -> None:
    """By their names there, each once; one that is missing is listed."""
    wanted = (WantedSetting("hooks", "preload", ["alias", "a", "gone", "a"]),)
    found = plan_settings(wanted, CURRENT, {}, NAMES)
    assert found.changes == (SettingChange("hooks", "preload", [], ["b", "a"]),)
    assert [each.reason for each in found.leftovers] == [
        "the model 'gone' is not in the catalogue after this import"
    ]
    assert plan_settings((WantedSetting("hooks", "preload", ["gone"]),), CURRENT, {}, NAMES).changes == ()
