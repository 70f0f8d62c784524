"""What ``/set`` and the options of ``gglib run`` accept."""

from typing import Any

import pytest

from gglib.cli.chat.settings import (
    SETTING_NAMES,
    check_value,
    find_setting,
    parse_setting,
    request_fields,
    shown_settings,
)
from gglib.core.errors import InvalidSettingError


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("temperature", "0.2", 0.2),
        ("temperature", "0", 0),
        ("top_k", "40", 40),
        ("seed", "-1", -1),
        ("max_tokens", "1,000", 1000),
        ("max_tokens", "off", 0),
        ("max_tokens", "0", 0),
        ("num_ctx", "8192", 8192),
        ("system", " You are\na pirate. ", "You are\na pirate."),
        ("think", "ON", "on"),
        ("think", "false", "off"),
        ("think", "low", "low"),
        ("temperature", "default", None),
        ("system", "none", None),
        ("system", "", None),
    ],
)
def test_a_value_is_read(name: str, text: str, value: object) -> None:
    """Numbers, switches and texts are read; ``default`` and nothing remove a setting."""
    assert parse_setting(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("temperature", "hot", "'temperature' must be a number from 0 to 5."),
        ("temperature", "6", "'temperature' must be a number from 0 to 5."),
        ("temperature", "true", "'temperature' must be a number from 0 to 5."),
        ("temperature", "NaN", "'temperature' must be a number from 0 to 5."),
        ("top_k", "1.5", "'top_k' must be an integer of at least 0 (0: no limit)."),
        ("max_tokens", "-1", "'max_tokens' must be an integer of at least 1, or 'off'."),
        ("num_ctx", "0", "'num_ctx' must be an integer of at least 1."),
        ("num_ctx", "[" * 100_000, "'num_ctx' must be an integer of at least 1."),
        ("think", "hard", "'think' must be one of on, off, low, medium, high."),
    ],
)
def test_a_wrong_value_is_named(name: str, text: str, expected: str) -> None:
    """The error says what the setting accepts."""
    with pytest.raises(InvalidSettingError) as raised:
        parse_setting(name, text)
    assert str(raised.value) == expected


@pytest.mark.parametrize(("given", "name"), [("Top-P", "top_p"), ("ctx", "num_ctx"), ("thinking", "think")])
def test_a_setting_is_found_by_its_spellings(given: str, name: str) -> None:
    """Dashes, capitals and usual short forms are understood."""
    assert find_setting(given) == name


def test_an_unknown_setting_names_a_similar_one() -> None:
    """Without a similar one, the error lists all."""
    with pytest.raises(InvalidSettingError, match=r"did you mean temperature\?$"):
        find_setting("temperatures")
    with pytest.raises(InvalidSettingError, match=", ".join(SETTING_NAMES)):
        find_setting("colour")


@pytest.mark.parametrize(
    ("given", "meant"), [("temp", "temperature"), ("top", "top_p or top_k"), ("max", "max_tokens")]
)
def test_the_beginning_of_a_setting_suggests_it(given: str, meant: str) -> None:
    """Before settings with similar letters: ``temp`` is not far from ``system``."""
    with pytest.raises(InvalidSettingError) as raised:
        find_setting(given)
    assert str(raised.value) == f"There is no setting '{given}': did you mean {meant}?"


def test_settings_become_fields_of_the_request() -> None:
    """``think`` becomes arguments of the chat template, for most models and for gpt-oss."""
    settings: dict[str, Any] = {"temperature": 0, "think": "low", "system": "Hi", "num_ctx": 4096}
    assert request_fields(settings, default_max_tokens=7) == {
        "temperature": 0,
        "num_ctx": 4096,
        "max_tokens": 7,
        "chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"},
    }
    off = request_fields({"think": "off"}, default_max_tokens=None)
    assert off == {"chat_template_kwargs": {"enable_thinking": False}}


def test_settings_are_shown_with_their_defaults() -> None:
    """All settings have a value to read, also those that are not set."""
    shown = dict(shown_settings({"temperature": 0.5}, default_max_tokens=2048))
    assert tuple(shown) == SETTING_NAMES
    assert (shown["temperature"], shown["max_tokens"]) == ("0.5", "2,048 (default)")
    assert (shown["seed"], shown["system"]) == ("(default)", "(none)")
    assert dict(shown_settings({"max_tokens": 0}, default_max_tokens=2048))["max_tokens"] == "no limit"
    assert dict(shown_settings({}, default_max_tokens=None))["max_tokens"] == "no limit"


@pytest.mark.parametrize(
    ("name", "value"), [("system", 3), ("max_tokens", False), ("think", None), ("seed", "1")]
)
def test_a_stored_value_of_another_type_is_refused(name: str, value: object) -> None:
    """A saved conversation may have been edited."""
    with pytest.raises(InvalidSettingError):
        check_value(name, value)
