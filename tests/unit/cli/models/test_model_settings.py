"""Parsing of the options for one model."""

import pytest

from gglib.cli.models.model_settings import parse_idle_ttl
from gglib.core.errors import InvalidSettingError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("1.5h", 5400),
        (" 10 M ", 600),
        ("off", None),
        ("OFF", None),
        ("0", None),
        ("0.0m", None),
    ],
)
def test_idle_time_is_seconds_minutes_or_hours(text: str, seconds: float | None) -> None:
    """A number of seconds, or one with its unit; off and 0 disable the unload."""
    assert parse_idle_ttl(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "soon", "-5", "10d", "1e9", "nan", "inf", "10m30s", "1_0", "٣", "9" * 10, "m"]
)
def test_invalid_idle_time_is_one_sentence(text: str) -> None:
    """The error has the value and the accepted forms."""
    with pytest.raises(InvalidSettingError) as raised:
        parse_idle_ttl(text)
    assert str(raised.value) == (
        f"--idle-ttl is {text!r}, but it must be a time like 30s, 10m or 2h, or 'off'."
    )
