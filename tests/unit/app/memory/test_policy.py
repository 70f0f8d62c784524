"""What limits the models in memory, and warnings about settings that cannot be applied."""

from pathlib import Path
from typing import Any

import pytest

from gglib.app.memory.policy import MemoryPolicy, memory_policy, memory_warnings
from gglib.app.settings import Settings
from gglib.core.memory import RAM, DeviceBytes

KNOWN = {RAM: 100, "gpu0": 50}


def settings_of(**settings: Any) -> Settings:
    """Return settings."""
    return Settings(home=Path("/"), **settings)


@pytest.mark.parametrize(
    ("settings", "budget", "policy"),
    [
        ({}, KNOWN, (1, False)),
        ({"max_models": 3}, KNOWN, (3, False)),
        ({"max_models": 3, "memory": {RAM: 5}}, {RAM: 5}, (3, True)),
        ({"max_models": None}, KNOWN, (64, True)),
        ({"max_models": None}, {}, (1, False)),
        ({"max_models": None}, {"gpu0": 50}, (1, False)),
        ({"max_models": None, "memory": {"gpu0": 5}}, {"gpu0": 5}, (1, True)),
        ({"max_models": None, "memory": {RAM: 5}}, {RAM: 5}, (64, True)),
    ],
)
def test_auto_needs_a_budget_for_the_ram(
    settings: dict[str, Any], budget: DeviceBytes, policy: tuple[int, bool]
) -> None:
    """Where the system does not report the RAM and it is not set, one model is in memory at a time."""
    capacity, limits_memory = policy
    expected = MemoryPolicy(capacity=capacity, limits_memory=limits_memory)
    assert memory_policy(settings_of(**settings), budget) == expected


@pytest.mark.parametrize("max_models", [1, None])
def test_settings_that_can_be_applied_cause_no_warning(max_models: int | None) -> None:
    """Also if the RAM is not reported but set."""
    assert list(memory_warnings(settings_of(max_models=max_models, memory={"gpu0": 5}), KNOWN)) == []
    assert list(memory_warnings(settings_of(max_models=max_models, memory={RAM: 5}), {RAM: 5})) == []


def test_a_device_that_does_not_exist_is_named_with_those_that_do() -> None:
    """Its budget is ignored."""
    (warning,) = memory_warnings(settings_of(memory={"gpu0": 5, "gpu7": 5}), KNOWN)
    assert warning == (
        "Setting 'memory': 'gpu7' is not a device that the engine can use, so its budget is ignored. "
        "The devices are ram, gpu0."
    )


def test_auto_on_a_machine_that_does_not_report_its_ram() -> None:
    """The sentence says what to set."""
    (warning,) = memory_warnings(settings_of(max_models=None), {})
    assert warning == (
        "Setting 'max_models': 'auto' needs a memory budget, and the system does not report how much RAM there is, "
        'so one model at a time is in memory. Set the budget, for example memory = "20G".'
    )


def test_preloading_more_models_than_may_stay_is_a_warning() -> None:
    """Each would replace the one before it, without any other notice."""
    (warning,) = memory_warnings(settings_of(max_models=1, preload=("a", "b")), KNOWN)
    assert "'preload' has 2 models, but 'max_models' allows 1" in warning
    assert list(memory_warnings(settings_of(max_models=2, preload=("a", "b")), KNOWN)) == []
    assert list(memory_warnings(settings_of(max_models=None, preload=("a", "b")), KNOWN)) == []
