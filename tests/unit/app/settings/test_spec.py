"""The names of a setting, and the field that defines it."""

from dataclasses import dataclass, fields

from gglib.app.settings.spec import SPEC, SettingSpec, setting


def spec_of(key: str, *, env_key: str | None = None) -> SettingSpec:
    """Return a spec with these names."""
    return SettingSpec(key=key, parse=str, expected="a text", help="Help.", env_key=env_key)


def test_variable_and_option_follow_from_the_key() -> None:
    """The variable may have another name."""
    spec = spec_of("max_wait_s")
    assert (spec.env, spec.option) == ("GGLIB_MAX_WAIT_S", "--max-wait-s")
    assert spec_of("api_keys", env_key="api_key").env == "GGLIB_API_KEY"


@dataclass(frozen=True, slots=True)
class Example:
    """A class with settings."""

    shown: int = setting(3, str, "a number", "Help.")
    secret: str = setting("abc", str, "a text", "Help.", is_secret=True, is_live=False)


def test_a_field_has_the_default_and_the_spec() -> None:
    """The repr has no secret."""
    assert (Example().shown, Example().secret) == (3, "abc")
    assert repr(Example()) == "Example(shown=3)"
    shown, secret = (member.metadata[SPEC] for member in fields(Example))
    assert (shown.is_live, shown.is_secret) == (True, False)
    assert (secret.is_live, secret.is_secret) == (False, True)
