"""Token limits that an engine would misread are clamped."""

import json

import pytest

from gglib.proxy.guards.token_limits import TOKEN_LIMITS, clamped_limit, has_out_of_range_limit

OUT_OF_RANGE = [
    ("2147483648", b"2147483647"),
    ("4294967296", b"2147483647"),
    ("4294967301", b"2147483647"),
    ("18446744073709551615", b"2147483647"),
    ("9" * 400, b"2147483647"),
    ("1e12", b"2147483647"),
    ("2.5e9", b"2147483647"),
    ("1e400", b"2147483647"),
    ("-2", b"-1"),
    ("-1.5", b"-1"),
    ("-4294967292", b"-1"),
    ("-1e400", b"-1"),
]
IN_RANGE = ["-1", "-1.0", "-0", "0", "1", "5.7", "1e3", "2147483647", "2147483647.0"]
NO_NUMBERS = ["null", "true", "false", '"4294967296"', "[4294967296]", "{}"]


@pytest.mark.parametrize(("value", "clamped"), OUT_OF_RANGE)
def test_a_limit_out_of_range_is_clamped(value: str, clamped: bytes) -> None:
    """A number beyond signed 32 bits becomes the highest one; a number below -1 becomes -1, no limit."""
    assert clamped_limit(value.encode()) == clamped


@pytest.mark.parametrize("value", [*IN_RANGE, *NO_NUMBERS])
def test_any_other_value_is_left_as_it_is(value: str) -> None:
    """The engine reads numbers in the range correctly, and refuses other types itself."""
    assert clamped_limit(value.encode()) is None


@pytest.mark.parametrize("name", sorted(TOKEN_LIMITS))
@pytest.mark.parametrize("value", [value for value, _ in OUT_OF_RANGE])
def test_a_parsed_limit_out_of_range_is_found(name: str, value: str) -> None:
    """It is found under each name of a limit, beside fields in the range."""
    in_range = dict.fromkeys(TOKEN_LIMITS, 1)
    assert has_out_of_range_limit({"model": "m", **in_range, name: json.loads(value)})


@pytest.mark.parametrize("value", [*IN_RANGE, *NO_NUMBERS])
def test_parsed_limits_in_range_need_no_change(value: str) -> None:
    """The check of parsed values agrees with that of raw ones; fields that are no limits may hold any number."""
    assert not has_out_of_range_limit({"seed": 2**40, **dict.fromkeys(TOKEN_LIMITS, json.loads(value))})
