"""What the settings record."""

from pathlib import Path

import pytest

from gglib.app.doctor import Verdict, check_recording
from gglib.app.serving.recording import own_keys, recorded, recording_rule, recording_warnings
from gglib.app.settings import Settings
from gglib.app.settings.changes import shown_value
from gglib.app.settings.effective import effective_settings
from gglib.app.settings.entries import config_value, find_entry
from gglib.core.api_keys import ApiKey
from gglib.core.history.recording import RecordingRule

HOME = Path("/home/me/gglib")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (False, None),
        ((), None),
        (True, "prompts and answers of all requests are stored in /home/me/gglib/history.db"),
        (
            ("key:alice", "model:qwen*"),
            "prompts and answers of requests for key:alice, model:qwen* are stored in /home/me/gglib/history.db",
        ),
    ],
)
def test_a_start_says_what_is_recorded_and_where(
    *, setting: bool | tuple[str, ...], expected: str | None
) -> None:
    """Nothing if nothing is."""
    settings = Settings(home=HOME, record_bodies=setting)
    assert recorded(settings) == expected
    assert recording_rule(settings) == RecordingRule(setting)
    assert list(recording_warnings(settings)) == (
        [] if expected is None else [f"Setting 'record_bodies': {expected}, known forms of secrets removed."]
    )


def test_doctor_warns() -> None:
    """With the command that ends it."""
    finding = check_recording("prompts are stored")
    assert finding.verdict is Verdict.WARN
    assert "'gglib config unset record_bodies'" in finding.detail


def test_the_keys_of_the_settings_are_never_stored() -> None:
    """Their texts, for the redaction."""
    keys = {"alice": ApiKey.admin("alice-key"), "bob": ApiKey.admin("bob-key")}
    assert own_keys(Settings(home=HOME, api_keys=keys)) == ("alice-key", "bob-key")


@pytest.mark.parametrize(
    ("typed", "value", "shown"),
    [
        ("true", True, "true"),
        ("all", True, "true"),
        ("false", False, "false"),
        ("key:alice,model:qwen*", ["key:alice", "model:qwen*"], "key:alice, model:qwen*"),
    ],
)
def test_the_commands_write_and_show_it(*, typed: str, value: object, shown: str) -> None:
    """As ``config.toml`` has it."""
    entry = find_entry("record_bodies")
    assert config_value(entry, typed, {}) == value
    parsed = entry.spec.parse(value)
    assert shown_value(parsed) == shown
    settings = Settings(home=HOME, record_bodies=parsed)  # type: ignore[arg-type]
    assert {one.setting: one.value for one in effective_settings(settings)}["record_bodies"] == value
