"""Tests of the checks of a profile."""

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.core.profile_rules import MAX_FIELDS, RULES, check_profile
from gglib.core.profiles import Profile
from gglib.proxy.guards.token_limits import TOKEN_LIMITS, has_out_of_range_limit

VALID = Profile(
    name="a.B_c-9",
    description="Short answers",
    system="Be brief.\n",
    defaults={
        "temperature": 0,
        "top_p": 0.9,
        "top_k": 0,
        "min_p": 0.05,
        "max_tokens": 100,
        "seed": 2**32 - 1,
        "repeat_penalty": 1.1,
        "presence_penalty": -2,
        "frequency_penalty": 2,
        "stop": ["a", "b"],
        "logit_bias": [[15043, False]],
    },
    template_kwargs={"enable_thinking": False},
    strip=("temperature", "system"),
)


def test_accepts_a_valid_profile() -> None:
    """Every option, and a field without one."""
    check_profile(VALID)
    check_profile(Profile(name="x", defaults={"stop": "END"}))


DEEP: object = 1
for _ in range(20):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        (Profile(name=""), "cannot name a profile"),
        (Profile(name="a:b"), "cannot name a profile"),
        (Profile(name="ä"), "cannot name a profile"),
        (Profile(name=".."), "cannot name a profile"),
        (Profile(name="x" * 65), "cannot name a profile"),
        (Profile(name="Latest"), "is the model itself"),
        (Profile(name="x", description="a\nb"), "one printable line"),
        (Profile(name="x", system=" "), "1 to"),
        (Profile(name="x", system="a" * 40_000), "1 to"),
        (Profile(name="x", system="\ud800"), "Unicode"),
        (Profile(name="x", defaults={"model": "y"}), "cannot set 'model'"),
        (Profile(name="x", defaults={"system": "y"}), "own option"),
        (Profile(name="x", defaults={"a b": 1}), "cannot be a field"),
        (Profile(name="x", defaults={"temperature": None}), "null"),
        (Profile(name="x", defaults={"temperature": True}), "'temperature' must be a number from 0 to 5"),
        (Profile(name="x", defaults={"temperature": "1"}), "'temperature' must be"),
        (Profile(name="x", defaults={"temperature": 5.1}), "'temperature' must be"),
        (Profile(name="x", defaults={"temperature": 10**400}), "'temperature' must be"),
        (Profile(name="x", defaults={"temperature": float("inf")}), "JSON"),
        (Profile(name="x", defaults={"top_k": 1.5}), "'top_k' must be an integer"),
        (Profile(name="x", defaults={"max_tokens": 0}), "'max_tokens' must be"),
        (Profile(name="x", defaults={"stop": []}), "'stop' must be"),
        (Profile(name="x", defaults={"stop": [""]}), "'stop' must be"),
        (Profile(name="x", defaults={"stop": 3}), "'stop' must be"),
        (Profile(name="x", defaults={"y": float("nan")}), "JSON"),
        (Profile(name="x", defaults={"y": object()}), "JSON"),
        (Profile(name="x", defaults={"y": "\udc00"}), "Unicode"),
        (Profile(name="x", defaults={"y": "z" * 20_000}), "bytes"),
        (Profile(name="x", template_kwargs={"y": {"z": DEEP}}), "nested more than"),
        (Profile(name="x", strip=("messages",)), "cannot strip"),
        (Profile(name="x", strip=('"',)), "cannot strip"),
        (Profile(name="x", strip=tuple(f"f{i}" for i in range(MAX_FIELDS + 1))), "at most 64"),
    ],
)
def test_refuses_an_invalid_profile(profile: Profile, reason: str) -> None:
    """The message names what is wrong, in one sentence."""
    with pytest.raises(InvalidSettingError, match=reason) as caught:
        check_profile(profile)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("mirostat", [0, 2], [3, 1.5, "1", True]),
        ("mirostat_tau", [0, 4.5], [-1, "a"]),
        ("top_n_sigma", [-1, 3], [-2]),
        ("n", [1, 4], [0, "2"]),
        ("top_logprobs", [0, 20], [-1, True]),
        ("logprobs", [True, False, 5], [-1, "yes", 1.5]),
        ("n_predict", [-1, 2**31 - 1], [-2, 2**31]),
        ("repeat_last_n", [-1, 64], [-2]),
        ("ignore_eos", [True], [1, "true"]),
        ("reasoning_effort", ["low"], [1]),
        ("response_format", [{"type": "json_object"}], ["json"]),
        ("dry_sequence_breakers", [[], ["x"]], ["x", [1]]),
        ("tools", [[{}]], [{}, [1]]),
        ("tool_choice", ["auto", {}], [[]]),
        ("logit_bias", [{"5": 1}, [[5, 1]]], [5]),
        ("unknown_to_gglib", ["x", 1, True, {}, []], []),
    ],
)
def test_checks_the_values_of_known_fields(name: str, accepted: list[object], refused: list[object]) -> None:
    """The message has the field and what it accepts; unknown fields may have any value."""
    for value in accepted:
        check_profile(Profile(name="x", defaults={name: value}))
    for value in refused:
        with pytest.raises(InvalidSettingError, match=f"'{name}' must be") as caught:
            check_profile(Profile(name="x", defaults={name: value}))
        assert RULES[name].expected in str(caught.value)


def test_token_limits_need_no_clamping() -> None:
    """Requests are not clamped again after a profile is applied."""
    for name in TOKEN_LIMITS:
        for value in (-(2**40), -2, -1, 0, 1, 2**31 - 1, 2**31, 2**40):
            assert not (RULES[name].accepts(value) and has_out_of_range_limit({name: value}))


def test_ranges_are_written_in_full() -> None:
    """Also large ones."""
    assert RULES["seed"].expected == "an integer from -1 to 4294967295 (-1: random)"
    assert RULES["n"].expected == "an integer of at least 1"
