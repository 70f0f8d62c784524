"""The defaults of a profile pass the guards of requests."""

from typing import Any

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.core.profiles import Profile
from gglib.proxy.guards.engine_fields import SchemaLimits
from gglib.proxy.profiles.guards import FieldLimits, check_guards


@pytest.mark.parametrize(
    "defaults",
    [
        {},
        {"top_logprobs": 20, "logprobs": True, "n": 2},
        {"dry_sequence_breakers": ["a"] * 64},
        {"id_slot": -1, "n_probs": 1_000},
        {"grammar": "root ::= [a-z]+"},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_accepts_what_a_request_may_set(defaults: dict[str, Any]) -> None:
    """Fields with a limit up to the limit, and engine fields with the engine's default."""
    check_guards(Profile(name="p", defaults=defaults), FieldLimits())


@pytest.mark.parametrize(
    ("defaults", "field"),
    [
        ({"top_logprobs": 1_001}, "top_logprobs"),
        ({"dry_sequence_breakers": ["a"] * 65}, "dry_sequence_breakers"),
        ({"id_slot": 0}, "id_slot"),
        ({"seed": 1, "n_discard": -5}, "n_discard"),
    ],
)
def test_refuses_what_a_request_must_not_set(defaults: dict[str, Any], field: str) -> None:
    """The message has the field, the setting and the command that removes it; the setting allows it."""
    profile = Profile(name="p", defaults=defaults)
    with pytest.raises(InvalidSettingError) as caught:
        check_guards(profile, FieldLimits())
    assert f"'{field}'" in str(caught.value)
    assert "allowed_engine_fields" in str(caught.value)
    assert f"gglib profile set p --unset {field}" in str(caught.value)
    check_guards(profile, FieldLimits(frozenset((field,))))


def test_the_command_names_the_model() -> None:
    """By its id, which is one of its names."""
    profile = Profile(name="p", model_id=3, defaults={"id_slot": 0})
    with pytest.raises(InvalidSettingError, match="gglib profile set p --model 3 --unset id_slot"):
        check_guards(profile, FieldLimits())


def test_schemas_have_the_limits_of_the_settings() -> None:
    """Size and cost."""
    schema = {"type": "json_schema", "json_schema": {"schema": {"enum": [str(i) for i in range(300)]}}}
    profile = Profile(name="p", defaults={"response_format": schema})
    check_guards(profile, FieldLimits())
    with pytest.raises(InvalidSettingError, match="max_schema_cost"):
        check_guards(profile, FieldLimits(schema_limits=SchemaLimits(max_cost=200)))


def test_an_error_without_a_field_has_no_command() -> None:
    """Such as nesting that a request must not have."""
    deep: object = 1
    for _ in range(70):
        deep = [deep]
    with pytest.raises(InvalidSettingError, match="Profile 'p': ") as caught:
        check_guards(Profile(name="p", defaults={"x": deep}), FieldLimits())
    assert "--unset" not in str(caught.value)
