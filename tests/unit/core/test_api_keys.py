"""The rights of API keys."""

import pytest

from gglib.core.api_keys import ApiKey, KeyLimits


def test_new_key_may_use_all_models_and_nothing_else() -> None:
    """Admin rights have to be given."""
    key = ApiKey(key="a-key")
    assert (key.has_all_models, key.is_admin, key.priority) == (True, False, None)
    assert not ApiKey(key="a-key", models=("chat*",)).has_all_models
    assert ApiKey(key="a-key", models=("chat*", "*")).has_all_models


def test_admin_key_has_all_rights() -> None:
    """The old form of a key, a text."""
    assert ApiKey.admin("a-key") == ApiKey(key="a-key", is_admin=True)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"key": ""}, "empty"),
        ({"models": ()}, "without models"),
        ({"models": ("chat*",), "is_admin": True}, "all models"),
    ],
)
def test_contradicting_rights_are_refused(fields: dict[str, object], why: str) -> None:
    """An empty key would accept every client; an admin reaches all models through the admin API."""
    with pytest.raises(ValueError, match=why):
        ApiKey(**{"key": "a-key", **fields})  # type: ignore[arg-type]


def test_key_is_not_shown() -> None:
    """A key that is logged by accident stays secret."""
    assert "SECRET" not in repr(ApiKey(key="SECRET"))


@pytest.mark.parametrize("name", ["rpm", "tpm", "parallel"])
def test_limits_are_numbers_from_1(name: str) -> None:
    """0 would forbid the key, which is what revoking is for."""
    assert KeyLimits(**{name: 1})
    assert not KeyLimits()
    with pytest.raises(ValueError, match="at least 1"):
        KeyLimits(**{name: 0})
