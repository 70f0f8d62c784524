"""The setting ``record_bodies``, and the names in it."""

from pathlib import Path
from typing import Any

import pytest

from gglib.app.settings import Settings, load_settings
from gglib.app.settings.name_checks import name_warnings
from gglib.app.settings.parsers import InvalidValueError
from gglib.app.settings.recorded_bodies import parse_record_bodies
from gglib.cli.setting_names import about_setting
from gglib.core.api_keys import ApiKey
from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSummary

MODELS = [ModelSummary(id=1, name="Qwen3-4B", aliases=("coder",))]
KEYS = {"alice": ApiKey.admin("alice-key")}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("All", True),
        ("1", True),
        ("off", False),
        ("false", False),
        (["key:alice"], ("key:alice",)),
        ([" Key: alice ", "model:Qwen*", "key:alice"], ("key:alice", "model:Qwen*")),
        ("key:alice, model:qwen*", ("key:alice", "model:qwen*")),
        ("model:hf.co/owner/name:Q4_K_M", ("model:hf.co/owner/name:Q4_K_M",)),
        ([], ()),
    ],
)
def test_forms_of_the_setting(*, value: object, expected: object) -> None:
    """A value of TOML, or a text."""
    assert parse_record_bodies(value) == expected


@pytest.mark.parametrize("value", [1, None, {}, [1], "perhaps", "", "alice"])
def test_another_type_is_refused(value: object) -> None:
    """So is a word."""
    with pytest.raises(InvalidValueError):
        parse_record_bodies(value)


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        ("key:alice,bob", "bob"),
        ("key:alice,", ""),
        ("user:bob", "user:bob"),
        ("key:", "key:"),
        ("model: ", "model:"),
    ],
)
def test_an_invalid_pattern_names_its_source(tmp_path: Path, value: str, entry: str) -> None:
    """The sentence has the pattern and a valid form."""
    with pytest.raises(InvalidSettingError) as caught:
        load_settings({}, {"GGLIB_RECORD_BODIES": value, "GGLIB_HOME": str(tmp_path)})
    assert str(caught.value) == (
        f"GGLIB_RECORD_BODIES has {entry!r}, which is neither key:NAME nor model:NAME: write it like "
        '["key:alice", "model:qwen*"], or true for all requests.'
    )


def warnings(models: list[ModelSummary] = MODELS, **settings: Any) -> list[str]:
    """Return the warnings about these settings."""
    return list(name_warnings(Settings(home=Path("/"), **settings), models, []))


def test_patterns_that_match_are_no_mistake() -> None:
    """Keys, the server's own key, models, their aliases, and alias lists."""
    patterns = ("key:ALICE", "key:*", "key:local", "model:qwen*", "model:coder", "model:fast")
    assert warnings(record_bodies=patterns, api_keys=KEYS, aliases={"fast": ("coder",)}) == []
    assert warnings(record_bodies=True) == warnings(record_bodies=()) == []
    assert warnings([], record_bodies=("model:later",)) == []


def test_patterns_that_match_nothing_are_named() -> None:
    """With similar names."""
    found = warnings(record_bodies=("key:alcie", "model:qwen", "model:coder"), api_keys=KEYS)
    assert found == [
        "Setting 'record_bodies': 'key:alcie' matches no access key: did you mean alice?",
        "Setting 'record_bodies': 'model:qwen' matches no model: did you mean Qwen3-4B?",
    ]
    assert about_setting(found, ("record_bodies",)) == found
    assert warnings(record_bodies=("key:alice",)) == [
        "Setting 'record_bodies': 'key:alice' matches no access key: there is none."
    ]
